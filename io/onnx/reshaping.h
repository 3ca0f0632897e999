#pragma once
#include "core/layers/layers.h"
#include "io/onnx/site.h"

// Layers that move, repeat or leave out the numbers of a sample, and activations that are layers.
namespace lockstep {

void write_onnx(const ReLU& layer, const OnnxSite& site);
void write_onnx(const LeakyReLU& layer, const OnnxSite& site);
void write_onnx(const PReLU& layer, const OnnxSite& site);
void write_onnx(const ELU& layer, const OnnxSite& site);
void write_onnx(const Softmax& layer, const OnnxSite& site);
void write_onnx(const Reshape& layer, const OnnxSite& site);
void write_onnx(const Permute& layer, const OnnxSite& site);
void write_onnx(const RepeatVector& layer, const OnnxSite& site);
void write_onnx(const ZeroPadding1D& layer, const OnnxSite& site);
void write_onnx(const ZeroPadding2D& layer, const OnnxSite& site);
void write_onnx(const Cropping1D& layer, const OnnxSite& site);
void write_onnx(const Cropping2D& layer, const OnnxSite& site);
void write_onnx(const CenterCrop& layer, const OnnxSite& site);
void write_onnx(const UpSampling1D& layer, const OnnxSite& site);
void write_onnx(const UpSampling2D& layer, const OnnxSite& site);

}  // namespace lockstep
