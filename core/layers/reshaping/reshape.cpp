#include "core/layers/reshaping/reshape.h"

#include <algorithm>
#include <numeric>

#include "core/layers/op.h"
#include "core/layers/reshaping/copy_op.h"

namespace lockstep {
namespace {

/// The shape of a Reshape's output; nothing if the input does not fit it.
std::optional<Shape> resolved(const Shape& target, std::int64_t count) {
  std::int64_t left = count;
  auto unknown = target.end();
  for (auto axis = target.begin(); axis != target.end(); ++axis) {
    if (*axis == -1 && unknown == target.end()) {
      unknown = axis;
    } else {
      if (*axis < 1 || left % *axis != 0) return {};
      left /= *axis;
    }
  }
  Shape shape = target;
  if (unknown != target.end())
    shape[static_cast<std::size_t>(unknown - target.begin())] = left;
  else if (left != 1)
    return {};
  return shape;
}

/// All floats of a row, in the order of the new axes.
Copies permuted(const Shape& input, const std::vector<std::size_t>& axes) {
  std::vector<std::int64_t> strides(input.size(), 1);
  for (std::size_t axis = input.size() - 1; axis-- > 0;) strides[axis] = strides[axis + 1] * input[axis + 1];
  Copies copies{.in = elements(input), .out = elements(input), .axes = {}};
  std::int64_t rest = copies.out;
  for (const std::size_t axis : axes) {
    rest /= input[axis];
    copies.axes.push_back({input[axis], strides[axis], rest});
  }
  return copies;
}

}  // namespace

BuiltLayer build(const Input& /*layer*/, const LayerSite& site) { return {.output = site.input}; }
BuiltLayer build(const Flatten& /*layer*/, const LayerSite& site) { return {.output = {elements(site.input)}}; }

BuiltLayer build(const Reshape& layer, const LayerSite& site) {
  const std::int64_t count = elements(site.input);
  if (const std::optional<Shape> output = resolved(layer.target_shape, count); output && !output->empty()) return {.output = *output};
  throw layer_error(layer, "target_shape " + to_string(layer.target_shape) + " does not fit its input " + to_string(site.input, true) +
                               "; give axes whose product is " + std::to_string(count) + ", of which one may be -1");
}

BuiltLayer build(const Permute& layer, const LayerSite& site) {
  std::vector<std::int64_t> sorted = layer.dims, expected(site.input.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(expected.begin(), expected.end(), 1);
  if (sorted != expected || expected.empty()) {
    throw layer_error(layer, "dims " + to_string(layer.dims) + " are not the axes of its input " + to_string(site.input, true) +
                                 "; give each number from 1 to " + std::to_string(site.input.size()) + " once");
  }
  Shape output;
  std::vector<std::size_t> axes;
  for (const std::int64_t dim : layer.dims) {
    axes.push_back(static_cast<std::size_t>(dim - 1));
    output.push_back(site.input[axes.back()]);
  }
  return one_op(output, copy_op(permuted(site.input, axes)));
}

BuiltLayer build(const RepeatVector& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 1, "(features)");
  const std::int64_t features = site.input[0];
  const Shape output = fitting(layer, {layer.n, features});
  return one_op(output, copy_op({.in = features, .out = elements(output), .axes = {{layer.n, 0, features}, {features, 1, 1}}}));
}

}  // namespace lockstep
