#pragma once
#include <memory>

#include "core/data/numbers.h"
#include "core/layers/layer.h"

namespace lockstep {

class Dataset;
class World;

/// y = (x - mean) / max(sqrt(variance), 1e-7), or its inverse; mean and population variance per index of the kept axes.
/// Source: keras/src/layers/preprocessing/normalization.py. Copies share their statistics, so adapt() also reaches a model that the
/// layer was added to before.
struct Normalization {
  static constexpr Kind kKind = {.class_name = "Normalization"};
  std::vector<std::int64_t> axis = {-1};  ///< axes that keep statistics of their own; counted with the batch axis as Keras does; {} = none
  Numbers mean = {};                      ///< given together with variance: fixed, no weights; broadcast over the kept axes, last to last
  Numbers variance = {};
  bool invert = false;
  std::string name = {};
  bool trainable = true;

  struct Statistics {
    std::vector<float> mean, variance;  ///< (product of the kept axes); empty until adapted, loaded or built (then 0 and 1)
    float count = 0;                    ///< Keras' third weight of the layer; never changed by adapt, as there
  };
  std::shared_ptr<Statistics> statistics = std::make_shared<Statistics>();

  /// Collective. Mean and variance of all rows of the data set: every rank reads its share, (count, mean, M2) are merged in double, so that
  /// the result is that of one process.
  void adapt(const Dataset& data, const World& world);
};

template <Is<Normalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"axis"}, layer.axis);
  visit(Field{"invert"}, layer.invert);
  visit(Field{"mean"}, layer.mean);
  visit(Field{"variance", at_least(0)}, layer.variance);
}

BuiltLayer build(const Normalization& layer, const LayerSite& site);

}  // namespace lockstep
