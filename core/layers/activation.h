#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// The function alone.
struct Activation {
  static constexpr Kind kKind = {.class_name = "Activation"};
  ActivationFunction function;
  std::string name = {};
  bool trainable = true;
};

/// y = x > threshold ? min(x, max_value) : negative_slope (x - threshold). Source: keras/src/layers/activations/relu.py.
struct ReLU {
  static constexpr Kind kKind = {.class_name = "ReLU"};
  std::optional<float> max_value = {};  ///< none: no limit
  float negative_slope = 0;
  float threshold = 0;
  std::string name = {};
  bool trainable = true;
};

/// y = x > 0 ? x : negative_slope x. Source: keras/src/layers/activations/leaky_relu.py.
struct LeakyReLU {
  static constexpr Kind kKind = {.class_name = "LeakyReLU"};
  float negative_slope = 0.3F;
  std::string name = {};
  bool trainable = true;
};

/// y = x > 0 ? x : alpha (e^x - 1). Source: keras/src/layers/activations/elu.py.
struct ELU {
  static constexpr Kind kKind = {.class_name = "ELU"};
  float alpha = 1;
  std::string name = {};
  bool trainable = true;
};

/// e^x / sum(e^x) over some axes. Source: keras/src/layers/activations/softmax.py.
struct Softmax {
  static constexpr Kind kKind = {.class_name = "Softmax"};
  std::vector<std::int64_t> axis = {-1};  ///< the axis, or axes that lie side by side; counted with the batch axis as in Keras
  std::string name = {};
  bool trainable = true;
};

template <Is<Activation> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "activation", .required = true}, layer.function);
}
template <Is<ReLU> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"max_value", at_least(0)}, layer.max_value);
  visit(Field{"negative_slope", at_least(0)}, layer.negative_slope);
  visit(Field{"threshold", at_least(0)}, layer.threshold);
}
template <Is<LeakyReLU> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"negative_slope", at_least(0)}, layer.negative_slope);
}
template <Is<ELU> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"alpha"}, layer.alpha);
}
template <Is<Softmax> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"axis"}, layer.axis);
}

BuiltLayer build(const Activation& layer, const LayerSite& site);
BuiltLayer build(const ReLU& layer, const LayerSite& site);
BuiltLayer build(const LeakyReLU& layer, const LayerSite& site);
BuiltLayer build(const ELU& layer, const LayerSite& site);
BuiltLayer build(const Softmax& layer, const LayerSite& site);

}  // namespace lockstep
