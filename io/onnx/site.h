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

}  // namespace lockstep
