#pragma once
#include <algorithm>
#include <vector>

#include "core/network/pass.h"

namespace lockstep::test {

/// What a layer makes of rows of shape `input`, all in one block.
inline std::vector<float> layer_output(const LayerSpec& layer, const Shape& input, const std::vector<float>& x, const Block& block = {}) {
  Network network({layer}, input, 7);
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / network.input_width();
  Pass pass(network, {.rows = rows, .grains = 1});
  std::copy(x.begin(), x.end(), pass.values(0));
  pass.forward(block, 1);
  return {pass.output(), pass.output() + rows * network.output_width()};
}

inline Shape output_shape(const LayerSpec& layer, const Shape& input) { return Network({layer}, input, 7).output_shape(0); }

/// 1, 2, 3, ...
inline std::vector<float> counted(std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 1; i <= count; ++i) values.push_back(static_cast<float>(i));
  return values;
}

}  // namespace lockstep::test
