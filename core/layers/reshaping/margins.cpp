#include "core/layers/reshaping/margins.h"

#include "core/layers/op.h"
#include "core/layers/reshaping/copy_op.h"

namespace lockstep {
namespace {

/// (height, width, channels) with margins added.
std::unique_ptr<Op> padding_op(std::int64_t height, std::int64_t width, std::int64_t channels, const Margins& margins) {
  const auto& [vertical, horizontal] = margins.along;
  const std::int64_t line = (horizontal[0] + width + horizontal[1]) * channels;
  return copy_op({.in = height * width * channels,
                  .out = (vertical[0] + height + vertical[1]) * line,
                  .axes = {{height, width * channels, line}, {width * channels, 1, 1}},
                  .to = vertical[0] * line + horizontal[0] * channels});
}

/// (height, width, channels) without the margins.
std::unique_ptr<Op> cropping_op(std::int64_t height, std::int64_t width, std::int64_t channels, const Margins& margins) {
  const auto& [vertical, horizontal] = margins.along;
  const std::int64_t lines = height - vertical[0] - vertical[1], line = (width - horizontal[0] - horizontal[1]) * channels;
  return copy_op({.in = height * width * channels,
                  .out = lines * line,
                  .axes = {{lines, width * channels, line}, {line, 1, 1}},
                  .from = (vertical[0] * width + horizontal[0]) * channels});
}

template <class Layer>
void expect_something_left(const Layer& layer, const Sizes<2>& cropping, std::int64_t length, const Shape& input) {
  if (cropping[0] + cropping[1] < length) return;
  throw layer_error(layer, "cuts " + std::to_string(cropping[0]) + " and " + std::to_string(cropping[1]) + " off an axis of " +
                               std::to_string(length) + " of its input " + to_string(input, true) + ", which leaves nothing");
}

const std::string kSequence = "(steps, features)", kImage = "(height, width, channels)";

}  // namespace

BuiltLayer build(const ZeroPadding1D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 2, kSequence);
  const std::int64_t steps = site.input[0], features = site.input[1];
  const Shape output = fitting(layer, {steps + layer.padding[0] + layer.padding[1], features});
  return one_op(output, padding_op(steps, 1, features, {layer.padding, 0}));
}

BuiltLayer build(const ZeroPadding2D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, kImage);
  const std::int64_t height = site.input[0], width = site.input[1], channels = site.input[2];
  const auto& [vertical, horizontal] = layer.padding.along;
  const Shape output = fitting(layer, {height + vertical[0] + vertical[1], width + horizontal[0] + horizontal[1], channels});
  return one_op(output, padding_op(height, width, channels, layer.padding));
}

BuiltLayer build(const Cropping1D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 2, kSequence);
  const std::int64_t steps = site.input[0], features = site.input[1];
  expect_something_left(layer, layer.cropping, steps, site.input);
  return one_op({steps - layer.cropping[0] - layer.cropping[1], features}, cropping_op(steps, 1, features, {layer.cropping, 0}));
}

BuiltLayer build(const Cropping2D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, kImage);
  const std::int64_t height = site.input[0], width = site.input[1], channels = site.input[2];
  const auto& [vertical, horizontal] = layer.cropping.along;
  expect_something_left(layer, vertical, height, site.input);
  expect_something_left(layer, horizontal, width, site.input);
  return one_op({height - vertical[0] - vertical[1], width - horizontal[0] - horizontal[1], channels},
                cropping_op(height, width, channels, layer.cropping));
}

}  // namespace lockstep
