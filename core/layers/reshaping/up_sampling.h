#pragma once
#include <array>

#include "core/layers/layer.h"

namespace lockstep {

/// How pixels between those of an image are computed.
enum class Interpolation { nearest, bilinear };
constexpr std::array<std::pair<std::string_view, Interpolation>, 2> choices(Interpolation) {
  return {{{"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}}};
}

/// (steps, features): every step `size` times. Source: keras/src/layers/reshaping/up_sampling1d.py.
struct UpSampling1D {
  static constexpr Kind kKind = {.class_name = "UpSampling1D"};
  std::int64_t size = 2;
  std::string name = {};
  bool trainable = true;
};

/// (height, width, channels) -> (size[0] height, size[1] width, channels): every pixel repeated, or values between the pixels' centres.
/// Source: keras/src/layers/reshaping/up_sampling2d.py.
struct UpSampling2D {
  static constexpr Kind kKind = {.class_name = "UpSampling2D"};
  Sizes<2> size = 2;
  Interpolation interpolation = Interpolation::nearest;
  std::string name = {};
  bool trainable = true;
};

template <Is<UpSampling1D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"size", between(1, kMostElements)}, layer.size);
}
template <Is<UpSampling2D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"size", between(1, kMostElements)}, layer.size);
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"interpolation"}, layer.interpolation);
}

BuiltLayer build(const UpSampling1D& layer, const LayerSite& site);
BuiltLayer build(const UpSampling2D& layer, const LayerSite& site);

}  // namespace lockstep
