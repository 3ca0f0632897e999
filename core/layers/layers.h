#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/compile/initializers.h"
#include "core/data/shape.h"
#include "core/math/activations.h"

namespace lockstep {

class Dataset;
class World;

// The layers a user puts into a Sequential: plain descriptions with Keras' names and defaults. An empty `name` becomes Keras' automatic one
// ("dense", "dense_1", ...) when the model is built. Shapes below leave the batch axis out.

/// Shape of one sample.
struct Input {
  Shape shape;
  std::string name = {};
};

/// y = x * scale + offset.
struct Rescaling {
  float scale = 1;
  float offset = 0;
  std::string name = {};
};

/// (a, b, c) -> (a*b*c), row-major.
struct Flatten {
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
  ActivationFunction function;
  std::string name = {};
};

/// In training keeps a value with probability 1 - rate and multiplies it by 1 / (1 - rate); otherwise the identity. The mask is a pure
/// function of (seed, layer, step, global row of the batch, element): the same at every number of ranks.
struct Dropout {
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
};

/// y = (x - mean) / max(sqrt(variance), 1e-7), or its inverse; mean and population variance per index of the kept axes.
/// Source: keras/src/layers/preprocessing/normalization.py. Copies share their statistics, so adapt() also reaches a model that the
/// layer was added to before.
struct Normalization {
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

using LayerSpec = std::variant<Input, Rescaling, Flatten, Dense, Activation, Dropout, Normalization>;

/// Keras' class name ("Dense") and the layer's own name.
std::string class_name(const LayerSpec& layer);
const std::string& layer_name(const LayerSpec& layer);
std::string& layer_name(LayerSpec& layer);

}  // namespace lockstep
