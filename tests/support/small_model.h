#pragma once
#include <cmath>
#include <vector>

#include "core/data/dataset.h"
#include "core/training/sequential.h"

namespace lockstep::testing {

/// Every layer there is, on samples of shape (2, 3), with three classes.
inline Sequential small_model(const OptimizerSpec& optimizer, bool compiled = true) {
  Sequential model{Input{{2, 3}},
                   Rescaling{0.5F, 0.25F},
                   Flatten{},
                   Normalization{},
                   Dense{.units = 4, .activation = relu, .kernel_regularizer = {0, 0.01F}},
                   Dropout{.rate = 0.2F},
                   Dense{.units = 3, .use_bias = false, .name = "output"},
                   Activation{softmax}};
  if (compiled) {
    model.compile({.loss = SparseCategoricalCrossentropy{},
                   .optimizer = optimizer,
                   .metrics = {accuracy, {SparseTopKCategoricalAccuracy{2}, "top2"}}});
  } else {
    model.build({2, 3});
  }
  return model;
}

inline ArrayDataset small_data(std::int64_t rows) {
  std::vector<float> x, y;
  for (std::int64_t i = 0; i < rows * 6; ++i) x.push_back(std::sin(static_cast<float>(i)));
  for (std::int64_t i = 0; i < rows; ++i) y.push_back(static_cast<float>(i % 3));
  return ArrayDataset({2, 3}, x, y);
}

/// small_model after six steps, with statistics that are not those of a fresh layer.
inline Sequential trained_model(const OptimizerSpec& optimizer) {
  Sequential model = small_model(optimizer);
  for (const WeightView& weight : model.weights()) {
    if (weight.trainable || weight.name == "count") continue;
    for (std::size_t i = 0; i < weight.values.size(); ++i)
      weight.values[i] = weight.name == "mean" ? 0.125F * static_cast<float>(i) : 0.5F + static_cast<float>(i);
  }
  model.fit(small_data(22), {.epochs = 2, .batch_size = 8, .verbose = 0});
  return model;
}

}  // namespace lockstep::testing
