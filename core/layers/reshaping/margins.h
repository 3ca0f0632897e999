#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// (steps, features): zeros before and after the steps. Source: keras/src/layers/reshaping/zero_padding1d.py.
struct ZeroPadding1D {
  static constexpr Kind kKind = {.class_name = "ZeroPadding1D"};
  Sizes<2> padding = 1;  ///< {before, after}
  std::string name = {};
  bool trainable = true;
};

/// (height, width, channels): zeros around. Source: keras/src/layers/reshaping/zero_padding2d.py.
struct ZeroPadding2D {
  static constexpr Kind kKind = {.class_name = "ZeroPadding2D"};
  Margins padding = 1;
  std::string name = {};
  bool trainable = true;
};

/// (steps, features): leaves out the first and the last steps. Source: keras/src/layers/reshaping/cropping1d.py.
struct Cropping1D {
  static constexpr Kind kKind = {.class_name = "Cropping1D"};
  Sizes<2> cropping = 1;  ///< {before, after}
  std::string name = {};
  bool trainable = true;
};

/// (height, width, channels): leaves out the margins. Source: keras/src/layers/reshaping/cropping2d.py.
struct Cropping2D {
  static constexpr Kind kKind = {.class_name = "Cropping2D"};
  Margins cropping = 0;
  std::string name = {};
  bool trainable = true;
};

template <Is<ZeroPadding1D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"padding", between(0, kMostElements)}, layer.padding);
  visit(Fixed{"data_format", "channels_last", false});
}
template <Is<ZeroPadding2D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"padding", between(0, kMostElements)}, layer.padding);
  visit(Fixed{"data_format", "channels_last"});
}
template <Is<Cropping1D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"cropping", between(0, kMostElements)}, layer.cropping);
}
template <Is<Cropping2D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"cropping", between(0, kMostElements)}, layer.cropping);
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const ZeroPadding1D& layer, const LayerSite& site);
BuiltLayer build(const ZeroPadding2D& layer, const LayerSite& site);
BuiltLayer build(const Cropping1D& layer, const LayerSite& site);
BuiltLayer build(const Cropping2D& layer, const LayerSite& site);

}  // namespace lockstep
