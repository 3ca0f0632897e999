#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// The largest value of each channel over all N spatial axes; equal ones share the gradient.
/// Source: keras/src/layers/pooling/base_global_pooling.py.
template <std::size_t N>
struct GlobalMaxPooling {
  static constexpr Kind kKind = {.class_name = N == 1 ? "GlobalMaxPooling1D" : "GlobalMaxPooling2D"};
  bool keepdims = false;  ///< true: the spatial axes stay, with length 1
  std::string name = {};
  bool trainable = true;
};
using GlobalMaxPooling1D = GlobalMaxPooling<1>;
using GlobalMaxPooling2D = GlobalMaxPooling<2>;

/// The mean of each channel over all N spatial axes. Source: keras/src/layers/pooling/base_global_pooling.py.
template <std::size_t N>
struct GlobalAveragePooling {
  static constexpr Kind kKind = {.class_name = N == 1 ? "GlobalAveragePooling1D" : "GlobalAveragePooling2D"};
  bool keepdims = false;  ///< true: the spatial axes stay, with length 1
  std::string name = {};
  bool trainable = true;
};
using GlobalAveragePooling1D = GlobalAveragePooling<1>;
using GlobalAveragePooling2D = GlobalAveragePooling<2>;

template <class S>
concept IsGlobalPooling =
    Is<S, GlobalMaxPooling1D> || Is<S, GlobalMaxPooling2D> || Is<S, GlobalAveragePooling1D> || Is<S, GlobalAveragePooling2D>;

template <IsGlobalPooling S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"keepdims"}, layer.keepdims);
}

BuiltLayer build(const GlobalMaxPooling1D& layer, const LayerSite& site);
BuiltLayer build(const GlobalMaxPooling2D& layer, const LayerSite& site);
BuiltLayer build(const GlobalAveragePooling1D& layer, const LayerSite& site);
BuiltLayer build(const GlobalAveragePooling2D& layer, const LayerSite& site);

}  // namespace lockstep
