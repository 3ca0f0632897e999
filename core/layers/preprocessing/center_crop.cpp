#include "core/layers/preprocessing/center_crop.h"

#include "core/layers/op.h"
#include "core/layers/reshaping/margins.h"

namespace lockstep {

BuiltLayer build(const CenterCrop& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, "(height, width, channels)");
  const std::int64_t height = site.input[0] - layer.height, width = site.input[1] - layer.width;
  if (height < 0 || width < 0) {
    throw layer_error(layer, "is larger, " + std::to_string(layer.height) + " x " + std::to_string(layer.width) + ", than its input " +
                                 to_string(site.input, true) + "; give at most the input's height and width");
  }
  return build(Cropping2D{.cropping = {{height / 2, height - height / 2}, {width / 2, width - width / 2}}}, site);
}

}  // namespace lockstep
