#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/compile/initializers.h"
#include "core/compile/kinds.h"
#include "core/data/limits.h"
#include "core/data/shape.h"
#include "core/math/activations.h"

namespace lockstep {

class Dataset;
class World;

// The layers a user puts into a Sequential: plain descriptions with Keras' names and defaults. An empty `name` becomes Keras' automatic one
// ("dense", "dense_1", ...) when the model is built. Shapes below leave the batch axis out.

/// Shape of one sample.
struct Input {
  static constexpr Kind kKind = {.class_name = "InputLayer", .name = "Input"};
  Shape shape;
  std::string name = {};
};

/// y = x * scale + offset.
struct Rescaling {
  static constexpr Kind kKind = {.class_name = "Rescaling"};
  float scale = 1;
  float offset = 0;
  std::string name = {};
};

/// (a, b, c) -> (a*b*c), row-major.
struct Flatten {
  static constexpr Kind kKind = {.class_name = "Flatten"};
  std::string name = {};
};

/// Penalty on a weight, added to the loss: l1 * sum|w| + l2 * sum w^2 (no 1/2, as in Keras).
struct Regularizer {
  float l1 = 0;
  float l2 = 0;
};

/// y = activation(x W + b) over the last axis; W (in, units) row-major, b (units).
/// Source: keras/src/layers/core/dense.py.
struct Dense {
  static constexpr Kind kKind = {.class_name = "Dense", .has_products = true};
  std::int64_t units;
  ActivationFunction activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = Initializer::glorot_uniform;
  Initializer bias_initializer = Initializer::zeros;
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  std::string name = {};
};

/// The function alone.
struct Activation {
  static constexpr Kind kKind = {.class_name = "Activation"};
  ActivationFunction function;
  std::string name = {};
};

/// In training keeps a value with probability 1 - rate and multiplies it by 1 / (1 - rate); otherwise the identity. The mask is a pure
/// function of (seed, layer, step, global row of the batch, element): the same at every number of ranks.
struct Dropout {
  static constexpr Kind kKind = {.class_name = "Dropout"};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
};

/// y = (x - mean) / max(sqrt(variance), 1e-7), or its inverse; mean and population variance per index of the kept axes.
/// Source: keras/src/layers/preprocessing/normalization.py. Copies share their statistics, so adapt() also reaches a model that the
/// layer was added to before.
struct Normalization {
  static constexpr Kind kKind = {.class_name = "Normalization"};
  std::vector<std::int64_t> axis = {-1};  ///< axes that keep statistics of their own; counted with the batch axis as Keras does; {} = none
  std::vector<float> mean = {};           ///< given together with variance: fixed, no weights
  std::vector<float> variance = {};
  bool invert = false;
  std::string name = {};

  struct Statistics {
    std::vector<float> mean, variance;  ///< (product of the kept axes); empty until adapted, loaded or built (then 0 and 1)
    float count = 0;                    ///< Keras' third weight of the layer; never changed by adapt, as there
  };
  std::shared_ptr<Statistics> statistics = std::make_shared<Statistics>();

  /// Collective. Mean and variance of all rows of the data set: every rank reads its share, (count, mean, M2) are merged in double, so that
  /// the result is that of one process.
  void adapt(const Dataset& data, const World& world);
};

template <Is<Input> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "shape", .bounds = at_least(1), .required = true}, layer.shape);
}
template <Is<Rescaling> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "scale", .required = true}, layer.scale);
  visit(Field{"offset"}, layer.offset);
}
template <Is<Flatten> S, class Visit>
void fields(S&, Visit&& visit) {
  visit(Fixed{"data_format", "channels_last"});
}
template <Is<Dense> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "units", .bounds = between(1, kMostElements), .required = true}, layer.units);
  visit(Field{"activation"}, layer.activation);
  visit(Field{"use_bias"}, layer.use_bias);
  visit(Field{"kernel_initializer"}, layer.kernel_initializer);
  visit(Field{"bias_initializer"}, layer.bias_initializer);
  visit(Field{"kernel_regularizer"}, layer.kernel_regularizer);
  visit(Field{"bias_regularizer"}, layer.bias_regularizer);
  visit(Fixed{"kernel_constraint"});
  visit(Fixed{"bias_constraint"});
}
template <Is<Activation> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "activation", .required = true}, layer.function);
}
template <Is<Dropout> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = between(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
  visit(Fixed{"noise_shape"});
}
template <Is<Normalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"axis"}, layer.axis);
  visit(Field{"invert"}, layer.invert);
  visit(Field{"mean"}, layer.mean);
  visit(Field{"variance", at_least(0)}, layer.variance);
}

using LayerSpec = std::variant<Input, Rescaling, Flatten, Dense, Activation, Dropout, Normalization>;

/// Keras' class name ("Dense") and the layer's own name.
std::string class_name(const LayerSpec& layer);
const std::string& layer_name(const LayerSpec& layer);
std::string& layer_name(LayerSpec& layer);

}  // namespace lockstep
