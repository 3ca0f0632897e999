#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// Shape of one sample.
struct Input {
  static constexpr Kind kKind = {.class_name = "InputLayer", .name = "Input"};
  Shape shape;
  std::string name = {};
  bool trainable = true;
};

/// (a, b, c) -> (a*b*c), row-major.
struct Flatten {
  static constexpr Kind kKind = {.class_name = "Flatten"};
  std::string name = {};
  bool trainable = true;
};

/// The same numbers in the same order with other axes. Source: keras/src/layers/reshaping/reshape.py.
struct Reshape {
  static constexpr Kind kKind = {.class_name = "Reshape"};
  Shape target_shape;  ///< of a row; one axis may be -1: whatever is left for it
  std::string name = {};
  bool trainable = true;
};

/// Another order of the axes: axis i of the output is axis dims[i] of the input, where 1 is the first axis of a row.
/// Source: keras/src/layers/reshaping/permute.py.
struct Permute {
  static constexpr Kind kKind = {.class_name = "Permute"};
  std::vector<std::int64_t> dims;
  std::string name = {};
  bool trainable = true;
};

/// (features) -> (n, features). Source: keras/src/layers/reshaping/repeat_vector.py.
struct RepeatVector {
  static constexpr Kind kKind = {.class_name = "RepeatVector"};
  std::int64_t n;
  std::string name = {};
  bool trainable = true;
};

template <Is<Input> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "shape", .bounds = at_least(1), .required = true}, layer.shape);
}
template <Is<Flatten> S, class Visit>
void fields(S&, Visit&& visit) {
  visit(Fixed{"data_format", "channels_last"});
}
template <Is<Reshape> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "target_shape", .bounds = at_least(-1), .required = true}, layer.target_shape);
}
template <Is<Permute> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "dims", .bounds = at_least(1), .required = true}, layer.dims);
}
template <Is<RepeatVector> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "n", .bounds = between(1, kMostElements), .required = true}, layer.n);
}

BuiltLayer build(const Input& layer, const LayerSite& site);
BuiltLayer build(const Flatten& layer, const LayerSite& site);
BuiltLayer build(const Reshape& layer, const LayerSite& site);
BuiltLayer build(const Permute& layer, const LayerSite& site);
BuiltLayer build(const RepeatVector& layer, const LayerSite& site);

}  // namespace lockstep
