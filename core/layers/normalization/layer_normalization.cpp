#include "core/layers/normalization/layer_normalization.h"

#include "core/layers/normalization/row_groups.h"

namespace lockstep {
namespace {

/// Axes of the row of which `chosen` are summed over.
std::vector<RowGroups::Axis> summed_axes(const Shape& input, const std::vector<std::size_t>& chosen, bool weighted) {
  std::vector<RowGroups::Axis> axes;
  for (const std::int64_t length : input) axes.push_back({length, false, false});
  for (const std::size_t axis : chosen) axes[axis] = {input[axis], true, weighted};
  return axes;
}

/// At least one.
template <class Layer>
std::vector<std::size_t> chosen_axes(const Layer& layer, const Shape& input) {
  std::vector<std::size_t> axes = row_axes(layer, layer.axis, input);
  if (axes.empty()) throw layer_error(layer, "needs at least one axis to normalise over, found none");
  return axes;
}

}  // namespace

BuiltLayer build(const LayerNormalization& layer, const LayerSite& site) {
  const std::vector<std::size_t> axes = chosen_axes(layer, site.input);
  Shape shape;
  for (const std::size_t axis : axes) shape.push_back(site.input[axis]);
  return same_shape(
      site, row_normalization_op({RowGroups(summed_axes(site.input, axes, true)), layer.epsilon, false, gamma_and_beta(layer, shape)}));
}

BuiltLayer build(const GroupNormalization& layer, const LayerSite& site) {
  const std::size_t axis = row_axes(layer, {layer.axis}, site.input).front();
  const std::int64_t channels = site.input[axis], groups = layer.groups == -1 ? channels : layer.groups;
  if (groups < 1 || channels % groups != 0) {
    throw layer_error(layer, "groups is " + std::to_string(layer.groups) + ", which does not divide the " + std::to_string(channels) +
                                 " channels of its input " + to_string(site.input, true) + "; give a divisor, or -1 for a group a channel");
  }
  std::vector<RowGroups::Axis> axes;
  for (std::size_t a = 0; a < site.input.size(); ++a) {
    if (a == axis) axes.push_back({groups, false, true});
    axes.push_back({a == axis ? channels / groups : site.input[a], true, a == axis});
  }
  return same_shape(site, row_normalization_op({RowGroups(axes), layer.epsilon, false, gamma_and_beta(layer, {channels})}));
}

BuiltLayer build(const UnitNormalization& layer, const LayerSite& site) {
  return same_shape(
      site, row_normalization_op({.groups = RowGroups(summed_axes(site.input, chosen_axes(layer, site.input), false)), .unit = true}));
}

}  // namespace lockstep
