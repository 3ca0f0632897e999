#pragma once
#include "core/math/activations.h"
#include "io/onnx/graph.h"

namespace lockstep {

/// Adds an activation function over a tensor of samples. One that ONNX's operators do not give is an Error (kUsage).
void add_activation(OnnxGraph& graph, ActivationFunction function);

}  // namespace lockstep
