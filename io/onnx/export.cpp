#include "io/onnx/export.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "io/files/durable_file.h"
#include "io/onnx/activations.h"
#include "io/onnx/convolutions.h"
#include "io/onnx/graph.h"
#include "io/onnx/reshaping.h"
#include "io/onnx/site.h"

namespace lockstep {
namespace {

/// The lengths of these axes (counted with the batch axis, as Keras does) and 1 for all others, so that statistics broadcast.
Shape broadcast_shape(const Shape& input, const std::vector<std::int64_t>& axes) {
  Shape shape(input.size() + 1, 1);
  const auto count = static_cast<std::int64_t>(shape.size());
  for (const std::int64_t axis : axes) {
    const std::int64_t positive = axis < 0 ? axis + count : axis;
    shape[static_cast<std::size_t>(positive)] = input[static_cast<std::size_t>(positive - 1)];
  }
  return shape;
}

/// The same of numbers that are spread over these axes, last to last.
Shape broadcast_shape(const Shape& input, const std::vector<std::int64_t>& axes, const Numbers& numbers) {
  const Shape whole = broadcast_shape(input, axes);
  if (static_cast<std::int64_t>(numbers.values.size()) == elements(whole)) return whole;
  std::vector<std::size_t> kept;
  for (const std::int64_t axis : axes)
    kept.push_back(static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(whole.size()) : axis));
  std::sort(kept.begin(), kept.end());
  Shape shape(whole.size(), 1);
  for (std::size_t i = 1; i <= std::min(kept.size(), numbers.shape.size()); ++i)
    shape[kept[kept.size() - i]] = numbers.shape[numbers.shape.size() - i];
  return shape;
}

/// max(sqrt(variance), epsilon)
std::vector<float> deviations(std::span<const float> variance) {
  constexpr float kEpsilon = 1e-7F;  // keras.config.epsilon()
  std::vector<float> values;
  for (const float one : variance) values.push_back(std::max(std::sqrt(one), kEpsilon));
  return values;
}

// --- one function for every layer that ONNX's operators give; more are in convolutions.h and reshaping.h ---

void write_onnx(const Input&, const OnnxSite&) {}
template <class Layer>
requires(Is<Layer, Dropout> || Is<Layer, SpatialDropout1D> || Is<Layer, SpatialDropout2D> || Is<Layer, GaussianNoise> ||
         Is<Layer, GaussianDropout> || Is<Layer, RandomFlip> || Is<Layer, RandomTranslation>)  // they work in training alone
    void write_onnx(const Layer&, const OnnxSite&) {}
void write_onnx(const Flatten&, const OnnxSite& site) { site.graph.add("Flatten", {}, {{"axis", std::int64_t{1}}}); }
void write_onnx(const Activation& layer, const OnnxSite& site) { add_activation(site.graph, layer.function); }

void write_onnx(const Rescaling& layer, const OnnxSite& site) {
  site.graph.add("Mul", {site.graph.constant("scale", layer.scale)});
  if (layer.offset != 0) site.graph.add("Add", {site.graph.constant("offset", layer.offset)});
}

void write_onnx(const Dense& layer, const OnnxSite& site) {
  site.graph.add("MatMul", {site.constant(site.weight("kernel"))});
  if (layer.use_bias) site.graph.add("Add", {site.constant(site.weight("bias"))});
  add_activation(site.graph, layer.activation);
}

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

/// Every other layer.
template <class Layer>
void write_onnx(const Layer& layer, const OnnxSite&) {
  throw Error("layer '" + layer.name + "' (" + std::string(Layer::kKind.class_name) +
                  ") cannot be written as ONNX yet; convert to .keras and export it there (model.export), or leave the layer out",
              kUsage);
}

}  // namespace

std::string onnx_bytes(Sequential& model) {
  const std::vector<LayerSpec>& layers = model.layers();
  const bool has_input = !layers.empty() && std::holds_alternative<Input>(layers.front());
  OnnxGraph graph(model.name(), has_input ? layer_name(layers.front()) : "input", model.input_shape());
  const std::vector<WeightView> weights = model.weights();
  Shape shape = model.input_shape();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Shape& output = model.output_shape(i);
    OnnxSite site{graph, shape, output, {}};
    std::copy_if(weights.begin(), weights.end(), std::back_inserter(site.weights),
                 [&](const WeightView& weight) { return weight.layer == layer_name(layers[i]); });
    graph.begin(layer_name(layers[i]));
    std::visit([&](const auto& layer) { write_onnx(layer, site); }, layers[i]);
    shape = output;
  }
  return graph.bytes("output", shape);
}

void save_onnx(Sequential& model, const std::string& path) { replace_file(path, onnx_bytes(model)); }

}  // namespace lockstep
