#include "io/onnx/export.h"

#include <algorithm>

#include "io/files/durable_file.h"
#include "io/onnx/activations.h"
#include "io/onnx/convolutions.h"
#include "io/onnx/graph.h"
#include "io/onnx/normalization.h"
#include "io/onnx/reshaping.h"
#include "io/onnx/site.h"

namespace lockstep {
namespace {

// --- one function for every layer; more are in convolutions.h, normalization.h and reshaping.h ---

void write_onnx(const Input&, const OnnxSite&) {}
template <class Layer>
requires(Is<Layer, Dropout> || Is<Layer, SpatialDropout1D> || Is<Layer, SpatialDropout2D> || Is<Layer, GaussianNoise> ||
         Is<Layer, GaussianDropout> || Is<Layer, ActivityRegularization> || Is<Layer, RandomFlip> ||
         Is<Layer, RandomTranslation>)  // they work in training alone
    void write_onnx(const Layer&, const OnnxSite&) {}
void write_onnx(const Flatten&, const OnnxSite& site) { site.graph.add("Flatten", {}, {{"axis", std::int64_t{1}}}); }
void write_onnx(const Activation& layer, const OnnxSite& site) { add_activation(site.graph, layer.function); }

void write_onnx(const Rescaling& layer, const OnnxSite& site) {
  site.graph.add("Mul", {site.graph.constant("scale", layer.scale.shape, layer.scale.values)});
  if (layer.offset.values != std::vector{0.F})
    site.graph.add("Add", {site.graph.constant("offset", layer.offset.shape, layer.offset.values)});
}

void write_onnx(const Dense& layer, const OnnxSite& site) {
  site.graph.add("MatMul", {site.constant(site.weight("kernel"))});
  if (layer.use_bias) site.graph.add("Add", {site.constant(site.weight("bias"))});
  add_activation(site.graph, layer.activation);
}

void write_onnx(const Embedding&, const OnnxSite& site) {
  constexpr std::int64_t kInt64 = 7;  // TensorProto.DataType
  OnnxGraph& graph = site.graph;
  const std::string rows = graph.beside("Cast", {graph.end()}, {{"to", kInt64}});
  graph.set_end(graph.beside("Gather", {site.constant(site.weight("embeddings")), rows}));
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
  return graph.bytes(shape);
}

void save_onnx(Sequential& model, const std::string& path) { replace_file(path, onnx_bytes(model)); }

}  // namespace lockstep
