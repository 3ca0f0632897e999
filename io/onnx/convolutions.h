#pragma once
#include "core/layers/layers.h"
#include "io/onnx/site.h"

// Layers that slide windows. ONNX's operators want the channels before the spatial axes, so each stands between two transpositions, which
// runtimes merge.
namespace lockstep {

void write_onnx(const Conv1D& layer, const OnnxSite& site);
void write_onnx(const Conv2D& layer, const OnnxSite& site);
void write_onnx(const Conv1DTranspose& layer, const OnnxSite& site);
void write_onnx(const Conv2DTranspose& layer, const OnnxSite& site);
void write_onnx(const DepthwiseConv1D& layer, const OnnxSite& site);
void write_onnx(const DepthwiseConv2D& layer, const OnnxSite& site);
void write_onnx(const SeparableConv1D& layer, const OnnxSite& site);
void write_onnx(const SeparableConv2D& layer, const OnnxSite& site);
void write_onnx(const MaxPooling1D& layer, const OnnxSite& site);
void write_onnx(const MaxPooling2D& layer, const OnnxSite& site);
void write_onnx(const AveragePooling1D& layer, const OnnxSite& site);
void write_onnx(const AveragePooling2D& layer, const OnnxSite& site);
void write_onnx(const GlobalMaxPooling1D& layer, const OnnxSite& site);
void write_onnx(const GlobalMaxPooling2D& layer, const OnnxSite& site);
void write_onnx(const GlobalAveragePooling1D& layer, const OnnxSite& site);
void write_onnx(const GlobalAveragePooling2D& layer, const OnnxSite& site);

}  // namespace lockstep
