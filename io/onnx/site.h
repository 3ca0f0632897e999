#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/training/sequential.h"
#include "io/onnx/graph.h"

namespace lockstep {

/// A layer being written as ONNX.
struct OnnxSite {
  OnnxGraph& graph;
  const Shape& input;  ///< of a sample
  const Shape& output;
  std::vector<WeightView> weights;

  /// Null where the layer has no such weight.
  const WeightView* find(std::string_view name) const {
    const auto found = std::find_if(weights.begin(), weights.end(), [&](const WeightView& weight) { return weight.name == name; });
    return found == weights.end() ? nullptr : &*found;
  }
  const WeightView& weight(std::string_view name) const { return *find(name); }
  std::string constant(const WeightView& weight, const Shape& shape) const {
    return graph.constant(weight.name.c_str(), shape, weight.values);
  }
  std::string constant(const WeightView& weight) const { return constant(weight, weight.shape); }
};

/// Samples of another shape with the same numbers.
inline void reshape(OnnxGraph& graph, Shape shape) {
  shape.insert(shape.begin(), -1);  // as many samples as there are
  graph.add("Reshape", {graph.constant("shape", shape)});
}

/// Axes counted from the batch axis on, as Keras does, sorted. `input`: of a sample.
inline std::vector<std::int64_t> positive_axes(const Shape& input, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> positive;
  for (const std::int64_t axis : axes) positive.push_back(axis < 0 ? axis + static_cast<std::int64_t>(input.size()) + 1 : axis);
  std::sort(positive.begin(), positive.end());
  return positive;
}

}  // namespace lockstep
