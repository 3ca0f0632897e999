#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// (height, width, channels) of any size: the middle of it. A smaller image, which Keras enlarges, is an Error.
/// Source: keras/src/layers/preprocessing/image_preprocessing/center_crop.py.
struct CenterCrop {
  static constexpr Kind kKind = {.class_name = "CenterCrop"};
  std::int64_t height;
  std::int64_t width;
  std::string name = {};
  bool trainable = true;
};

template <Is<CenterCrop> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "height", .bounds = between(1, kMostElements), .required = true}, layer.height);
  visit(Field{.name = "width", .bounds = between(1, kMostElements), .required = true}, layer.width);
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const CenterCrop& layer, const LayerSite& site);

}  // namespace lockstep
