#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/network/pass.h"

namespace lockstep::test {

/// L = sum of c y over rows and outputs, for fixed c.
inline double objective(Network& network, const std::vector<float>& x, const std::vector<float>& c, std::int64_t rows) {
  Pass pass(network, {.rows = rows, .grains = 1});
  std::copy(x.begin(), x.end(), pass.input());
  pass.forward(Block{.training = true}, 1);
  double sum = 0;
  for (std::size_t i = 0; i < c.size(); ++i) sum += static_cast<double>(c[i]) * static_cast<double>(pass.output()[i]);
  return sum;
}

/// `count` numbers in (-1, 1) that look random.
inline std::vector<float> numbers(std::int64_t count, float phase) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(std::sin(phase + static_cast<float>(i * i)));
  return values;
}

/// Expects that the gradients of all weights of a network are those of central differences, on `rows` rows in training. `step`: of the
/// differences.
inline void expect_numeric_gradient(Network& network, std::int64_t rows, float step = 1.F / 64, double tolerance = 1e-3) {
  const std::vector<float> x = numbers(rows * network.input_width(), 1), c = numbers(rows * network.output_width(), 2);
  Pass pass(network, {.rows = rows, .grains = 1, .backward = true});
  std::copy(x.begin(), x.end(), pass.input());
  pass.forward(Block{.training = true}, 1);
  std::copy(c.begin(), c.end(), pass.output_deltas());
  std::vector<float> gradient(network.parameters().size());
  pass.backward(Block{.training = true}, [&](std::size_t i) {
    const Op& op = *network.ops()[i];
    if (!op.trainable()) return;
    for (const VariableRange& part : op.parts()) {
      op.gradient(pass.values(i), pass.deltas(i + 1), {.rows = rows}, part, gradient.data() + part.offset);
    }
  });
  for (const Variable& variable : network.variables()) {
    for (std::int64_t i = variable.offset; i < variable.offset + elements(variable.shape); ++i) {
      float& weight = network.parameters()[static_cast<std::size_t>(i)];
      const float before = weight;
      weight = before + step;
      const double above = objective(network, x, c, rows);
      weight = before - step;
      const double below = objective(network, x, c, rows);
      weight = before;
      EXPECT_NEAR(gradient[static_cast<std::size_t>(i)], (above - below) / (2 * static_cast<double>(step)), tolerance)
          << variable.name << " of layer " << variable.layer;
    }
  }
}

}  // namespace lockstep::test
