#include "io/onnx/reshaping.h"

#include <functional>
#include <numeric>

namespace lockstep {
namespace {

using List = std::vector<std::int64_t>;

/// Axes of length 1 become as long as `shape` says; 1 leaves an axis.
void expand(OnnxGraph& graph, const List& shape) { graph.add("Expand", {graph.constant("times", shape)}); }

/// Rows [start, start + length) of the first axes of a sample.
void slice(const OnnxSite& site, const List& starts) {
  List ends, axes;
  for (std::size_t axis = 0; axis < starts.size(); ++axis) {
    ends.push_back(starts[axis] + site.output[axis]);
    axes.push_back(static_cast<std::int64_t>(axis) + 1);
  }
  site.graph.add("Slice", {site.graph.constant("starts", starts), site.graph.constant("ends", ends), site.graph.constant("axes", axes)});
}

void pad(const OnnxSite& site, const List& pads) { site.graph.add("Pad", {site.graph.constant("pads", pads)}); }

}  // namespace

void write_onnx(const ReLU& layer, const OnnxSite& site) {
  OnnxGraph& graph = site.graph;
  const std::string x = graph.end();
  if (layer.threshold == 0) {
    graph.add("LeakyRelu", {}, {{"alpha", layer.negative_slope}});
    if (layer.max_value) graph.add("Min", {graph.constant("max_value", *layer.max_value)});
    return;
  }
  const std::string threshold = graph.constant("threshold", layer.threshold);
  const std::string above = layer.max_value ? graph.beside("Min", {x, graph.constant("max_value", *layer.max_value)}) : x;
  const std::string below =
      graph.beside("Mul", {graph.beside("Sub", {x, threshold}), graph.constant("negative_slope", layer.negative_slope)});
  graph.set_end(graph.beside("Where", {graph.beside("Greater", {x, threshold}), above, below}));
}

void write_onnx(const LeakyReLU& layer, const OnnxSite& site) { site.graph.add("LeakyRelu", {}, {{"alpha", layer.negative_slope}}); }

void write_onnx(const PReLU&, const OnnxSite& site) {
  const WeightView& alpha = site.weight("alpha");
  Shape shape = alpha.shape;
  shape.insert(shape.begin(), 1);
  site.graph.add("PRelu", {site.constant(alpha, shape)});
}

void write_onnx(const ELU& layer, const OnnxSite& site) { site.graph.add("Elu", {}, {{"alpha", layer.alpha}}); }

void write_onnx(const Softmax& layer, const OnnxSite& site) {
  const List axes = positive_axes(site.input, layer.axis);
  if (axes.size() > 1) {  // they lie side by side and become one
    Shape merged = site.input;
    const auto first = merged.begin() + (axes.front() - 1), last = merged.begin() + axes.back();
    *first = std::accumulate(first, last, std::int64_t{1}, std::multiplies<>());
    merged.erase(first + 1, last);
    reshape(site.graph, merged);
  }
  site.graph.add("Softmax", {}, {{"axis", axes.front()}});
  if (axes.size() > 1) reshape(site.graph, site.output);
}

void write_onnx(const Reshape&, const OnnxSite& site) { reshape(site.graph, site.output); }

void write_onnx(const Permute& layer, const OnnxSite& site) {
  List order{0};
  order.insert(order.end(), layer.dims.begin(), layer.dims.end());
  site.graph.add("Transpose", {}, {{"perm", order}});
}

void write_onnx(const RepeatVector& layer, const OnnxSite& site) {
  reshape(site.graph, {1, site.input[0]});
  expand(site.graph, {1, layer.n, 1});
}

void write_onnx(const ZeroPadding1D& layer, const OnnxSite& site) { pad(site, {0, layer.padding[0], 0, 0, layer.padding[1], 0}); }

void write_onnx(const ZeroPadding2D& layer, const OnnxSite& site) {
  const Sizes<2>&height = layer.padding[0], &width = layer.padding[1];
  pad(site, {0, height[0], width[0], 0, 0, height[1], width[1], 0});
}

void write_onnx(const Cropping1D& layer, const OnnxSite& site) { slice(site, {layer.cropping[0]}); }

void write_onnx(const Cropping2D& layer, const OnnxSite& site) { slice(site, {layer.cropping[0][0], layer.cropping[1][0]}); }

void write_onnx(const CenterCrop&, const OnnxSite& site) {
  slice(site, {(site.input[0] - site.output[0]) / 2, (site.input[1] - site.output[1]) / 2});
}

void write_onnx(const UpSampling1D& layer, const OnnxSite& site) {
  reshape(site.graph, {site.input[0], 1, site.input[1]});
  expand(site.graph, {1, 1, layer.size, 1});
  reshape(site.graph, site.output);
}

void write_onnx(const UpSampling2D& layer, const OnnxSite& site) {
  OnnxGraph& graph = site.graph;
  if (layer.interpolation == Interpolation::nearest) {
    reshape(graph, {site.input[0], 1, site.input[1], 1, site.input[2]});
    expand(graph, {1, 1, layer.size[0], 1, layer.size[1], 1});
    return reshape(graph, site.output);
  }
  const std::vector<float> scales{1, 1, static_cast<float>(layer.size[0]), static_cast<float>(layer.size[1])};
  graph.add("Transpose", {}, {{"perm", List{0, 3, 1, 2}}});  // Resize wants the channels first
  graph.add("Resize", {"", graph.constant("scales", {4}, scales)}, {{"mode", "linear"}});
  graph.add("Transpose", {}, {{"perm", List{0, 2, 3, 1}}});
}

}  // namespace lockstep
