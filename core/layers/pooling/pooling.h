#pragma once
#include <optional>

#include "core/layers/layer.h"
#include "core/layers/padding.h"

namespace lockstep {

/// The largest value of each channel in a window; padding never wins. The gradient goes to the first of equal values.
/// Source: keras/src/layers/pooling/base_pooling.py.
template <std::size_t N>
struct MaxPooling {
  static constexpr Kind kKind = {.class_name = N == 1 ? "MaxPooling1D" : "MaxPooling2D"};
  static constexpr bool kNeedsSize = false;
  Sizes<N> pool_size = 2;
  Padding padding = Padding::valid;
  std::optional<Sizes<N>> strides = {};  ///< default: pool_size
  std::string name = {};
  bool trainable = true;
};
using MaxPooling1D = MaxPooling<1>;
using MaxPooling2D = MaxPooling<2>;

/// The mean of each channel in a window; padding is left out of it. Source: keras/src/layers/pooling/base_pooling.py.
template <std::size_t N>
struct AveragePooling {
  static constexpr Kind kKind = {.class_name = N == 1 ? "AveragePooling1D" : "AveragePooling2D"};
  static constexpr bool kNeedsSize = true;
  Sizes<N> pool_size;
  Padding padding = Padding::valid;
  std::optional<Sizes<N>> strides = {};  ///< default: pool_size
  std::string name = {};
  bool trainable = true;
};
using AveragePooling1D = AveragePooling<1>;
using AveragePooling2D = AveragePooling<2>;

template <class S>
concept IsPooling = Is<S, MaxPooling1D> || Is<S, MaxPooling2D> || Is<S, AveragePooling1D> || Is<S, AveragePooling2D>;

template <IsPooling S, class Visit>
void fields(S& layer, Visit&& visit) {
  const Field strides{"strides", between(1, kMostElements)};
  visit(Field{.name = "pool_size", .bounds = between(1, kMostElements), .required = S::kNeedsSize}, layer.pool_size);
  visit(Field{"padding"}, layer.padding);
  if constexpr (std::is_const_v<S>) {  // Keras writes them always
    const auto used = layer.strides.value_or(layer.pool_size);
    visit(strides, used);
  } else {
    visit(strides, layer.strides);
  }
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const MaxPooling1D& layer, const LayerSite& site);
BuiltLayer build(const MaxPooling2D& layer, const LayerSite& site);
BuiltLayer build(const AveragePooling1D& layer, const LayerSite& site);
BuiltLayer build(const AveragePooling2D& layer, const LayerSite& site);

}  // namespace lockstep
