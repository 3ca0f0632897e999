#pragma once
#include "core/layers/layers.h"
#include "io/onnx/site.h"

// Layers that subtract a mean and divide by a deviation: those of the layer, or those of each sample.
namespace lockstep {

void write_onnx(const Normalization& layer, const OnnxSite& site);
void write_onnx(const BatchNormalization& layer, const OnnxSite& site);
void write_onnx(const LayerNormalization& layer, const OnnxSite& site);
void write_onnx(const GroupNormalization& layer, const OnnxSite& site);
void write_onnx(const UnitNormalization& layer, const OnnxSite& site);

}  // namespace lockstep
