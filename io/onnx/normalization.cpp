#include "io/onnx/normalization.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

using List = std::vector<std::int64_t>;

/// The lengths of these axes and 1 for all others, so that statistics broadcast.
Shape broadcast_shape(const Shape& input, const List& axes) {
  Shape shape(input.size() + 1, 1);
  for (const std::int64_t axis : positive_axes(input, axes))
    shape[static_cast<std::size_t>(axis)] = input[static_cast<std::size_t>(axis - 1)];
  return shape;
}

/// The same of numbers that are spread over these axes, last to last.
Shape broadcast_shape(const Shape& input, const List& axes, const Numbers& numbers) {
  const Shape whole = broadcast_shape(input, axes);
  if (static_cast<std::int64_t>(numbers.values.size()) == elements(whole)) return whole;
  const List kept = positive_axes(input, axes);
  Shape shape(whole.size(), 1);
  for (std::size_t i = 1; i <= std::min(kept.size(), numbers.shape.size()); ++i)
    shape[static_cast<std::size_t>(kept[kept.size() - i])] = numbers.shape[numbers.shape.size() - i];
  return shape;
}

/// max(sqrt(variance), epsilon)
std::vector<float> deviations(std::span<const float> variance) {
  constexpr float kEpsilon = 1e-7F;  // keras.config.epsilon()
  std::vector<float> values;
  for (const float one : variance) values.push_back(std::max(std::sqrt(one), kEpsilon));
  return values;
}

/// x - mean over these axes, divided by sqrt(variance + epsilon).
void standardize(OnnxGraph& graph, const List& axes, float epsilon) {
  const auto mean = [&](const std::string& of) {
    return graph.beside("ReduceMean", {of}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  };
  graph.add("Sub", {mean(graph.end())});
  const std::string variance = mean(graph.beside("Mul", {graph.end(), graph.end()}));
  graph.add("Div", {graph.beside("Sqrt", {graph.beside("Add", {variance, graph.constant("epsilon", epsilon)})})});
}

/// gamma x + beta, as far as the layer has them.
void scale_and_move(const OnnxSite& site, const Shape& shape) {
  if (const WeightView* const gamma = site.find("gamma"); gamma != nullptr) site.graph.add("Mul", {site.constant(*gamma, shape)});
  if (const WeightView* const beta = site.find("beta"); beta != nullptr) site.graph.add("Add", {site.constant(*beta, shape)});
}

}  // namespace

void write_onnx(const Normalization& layer, const OnnxSite& site) {
  const bool given = !layer.mean.empty();
  const std::span<const float> mean = given ? std::span<const float>(layer.mean.values) : site.weight("mean").values;
  const std::vector<float> deviation = deviations(given ? std::span<const float>(layer.variance.values) : site.weight("variance").values);
  const Shape shape = mean.size() == 1 ? Shape{}
                      : given          ? broadcast_shape(site.input, layer.axis, layer.mean)
                                       : broadcast_shape(site.input, layer.axis);
  const std::string middle = site.graph.constant("mean", shape, mean), scale = site.graph.constant("deviation", shape, deviation);
  site.graph.add(layer.invert ? "Mul" : "Sub", {layer.invert ? scale : middle});
  site.graph.add(layer.invert ? "Add" : "Div", {layer.invert ? middle : scale});
}

void write_onnx(const BatchNormalization& layer, const OnnxSite& site) {
  const Shape shape = broadcast_shape(site.input, {layer.axis});
  const WeightView* const gamma = site.find("gamma");
  std::vector<float> scale;
  for (const float variance : site.weight("moving_variance").values) {
    const float own = gamma == nullptr ? 1 : gamma->values[scale.size()];
    scale.push_back(own / std::sqrt(variance + layer.epsilon));
  }
  site.graph.add("Sub", {site.constant(site.weight("moving_mean"), shape)});
  site.graph.add("Mul", {site.graph.constant("scale", shape, scale)});
  if (const WeightView* const beta = site.find("beta"); beta != nullptr) site.graph.add("Add", {site.constant(*beta, shape)});
}

void write_onnx(const LayerNormalization& layer, const OnnxSite& site) {
  standardize(site.graph, positive_axes(site.input, layer.axis), layer.epsilon);
  scale_and_move(site, broadcast_shape(site.input, layer.axis));
}

/// The axis of the channels becomes two, groups and the channels of a group.
void write_onnx(const GroupNormalization& layer, const OnnxSite& site) {
  const std::int64_t channels = positive_axes(site.input, {layer.axis})[0], count = site.input[static_cast<std::size_t>(channels - 1)];
  const std::int64_t groups = layer.groups == -1 ? count : layer.groups;
  Shape split = site.input;
  split[static_cast<std::size_t>(channels - 1)] = groups;
  split.insert(split.begin() + channels, count / groups);
  List within;
  for (std::int64_t axis = 1; axis <= static_cast<std::int64_t>(split.size()); ++axis) {
    if (axis != channels) within.push_back(axis);
  }
  reshape(site.graph, split);
  standardize(site.graph, within, layer.epsilon);
  reshape(site.graph, site.output);
  scale_and_move(site, broadcast_shape(site.input, {layer.axis}));
}

void write_onnx(const UnitNormalization& layer, const OnnxSite& site) {
  constexpr float kLeast = 1e-12F;  // as Keras
  OnnxGraph& graph = site.graph;
  const List axes = positive_axes(site.input, layer.axis);
  const std::string length = graph.beside("ReduceL2", {graph.end()}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  graph.add("Div", {graph.beside("Max", {length, graph.constant("least", kLeast)})});
}

}  // namespace lockstep
