#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/data/shape.h"
#include "core/layers/op.h"

namespace lockstep {

/// How the floats of a row are normalised in groups, and by which of the weights gamma and beta each is scaled. A group's floats lie in
/// segments of equal length. Where the last axis is part of a group, a segment is of one group; else it has a float of each of `length`
/// groups that lie side by side.
class RowGroups {
 public:
  /// What an axis of the row does.
  struct Axis {
    std::int64_t length;
    bool summed;    ///< a group goes along it
    bool weighted;  ///< weights differ along it
  };
  explicit RowGroups(const std::vector<Axis>& axes);

  std::int64_t width() const { return width_; }
  /// Groups, or sets of groups side by side.
  std::int64_t sets() const { return sets_; }
  bool side_by_side() const { return side_by_side_; }
  std::int64_t length() const { return length_; }
  std::int64_t segments() const { return segments_; }
  /// Floats of a group.
  std::int64_t size() const { return side_by_side_ ? segments_ : segments_ * length_; }
  /// Where segment s of a set starts in the row.
  std::int64_t start(std::int64_t set, std::int64_t s) const { return starts_[static_cast<std::size_t>(set * segments_ + s)]; }
  /// The weight of its first float, and whether each float has the next one or all have the same.
  std::int64_t weight(std::int64_t set, std::int64_t s) const { return weights_[static_cast<std::size_t>(set * segments_ + s)]; }
  bool weight_each() const { return weight_each_; }
  std::int64_t weight_count() const { return weight_count_; }

 private:
  std::int64_t width_ = 1, sets_ = 1, segments_ = 1, length_ = 1, weight_count_ = 1;
  bool side_by_side_ = false, weight_each_ = false;
  std::vector<std::int64_t> starts_, weights_;
};

/// Axes of a row (0-based, ascending, each once) that `axes` names with the batch axis counted, as in Keras. One that is not there, or the
/// batch axis, is an Error (kUsage) of the layer.
template <class Layer>
std::vector<std::size_t> row_axes(const Layer& layer, const std::vector<std::int64_t>& axes, const Shape& input) {
  const auto count = static_cast<std::int64_t>(input.size()) + 1;
  std::vector<bool> named(input.size());
  for (const std::int64_t axis : axes) {
    const std::int64_t positive = axis < 0 ? axis + count : axis;
    if (positive < 1 || positive >= count) {
      throw layer_error(layer, "axis " + std::to_string(axis) + " is not an axis of its input " + to_string(input, true) +
                                   " besides the batch; give axes between 1 and " + std::to_string(count - 1) + ", or negative ones");
    }
    named[static_cast<std::size_t>(positive - 1)] = true;
  }
  std::vector<std::size_t> found;
  for (std::size_t axis = 0; axis < named.size(); ++axis) {
    if (named[axis]) found.push_back(axis);
  }
  return found;
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, by mean and population variance of each group of a row. `unit`: y = x / sqrt(sum
/// of x^2) instead, at most x * 1e12.
struct RowNormalization {
  RowGroups groups;
  float epsilon = 0;
  bool unit = false;
  std::vector<Weight> weights = {};  ///< "gamma" and "beta", as far as they are there
};
std::unique_ptr<Op> row_normalization_op(RowNormalization normalization);

/// gamma and beta of a layer that has the settings of Keras' normalization layers.
template <class Layer>
std::vector<Weight> gamma_and_beta(const Layer& layer, const Shape& shape) {
  std::vector<Weight> weights;
  if (layer.scale) weights.push_back({"gamma", shape, layer.gamma_initializer, layer.gamma_regularizer, layer.gamma_constraint});
  if (layer.center) weights.push_back({"beta", shape, layer.beta_initializer, layer.beta_regularizer, layer.beta_constraint});
  return weights;
}

}  // namespace lockstep
