#pragma once
#include <string>

#include "core/training/sequential.h"

namespace lockstep {

/// Writes a built model as ONNX (.onnx) for inference: one input and one output of any number of samples, float32, layers as predict()
/// computes them. A layer that cannot be written is an Error (kUsage) that names it. Written beside and renamed.
void save_onnx(Sequential& model, const std::string& path);

/// The bytes of such a file.
std::string onnx_bytes(Sequential& model);

}  // namespace lockstep
