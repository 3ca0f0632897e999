#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/files/work_progress.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// The ten classes of Fashion-MNIST, index = label.
const std::vector<std::string>& fashion_mnist_class_names();

struct GarmentOptions {
  std::uint64_t seed = 42;
  std::int64_t train = 60'000;  ///< images
  std::int64_t test = 10'000;
};

/// Draws one image, 28x28 grey bytes row by row: a silhouette of class `label` whose shape, size, place, shade, texture, occlusion and
/// noise are a pure function of (seed, split, index), the same on every machine. `split` 0 is the training part, 1 the test part.
void draw_garment(int label, std::uint64_t seed, std::uint32_t split, std::int64_t index, std::span<std::uint8_t> image);

/// Label of image `index`: every ten consecutive images hold each class once, in random order.
int garment_label(std::uint64_t seed, std::uint32_t split, std::int64_t index);

/// Writes /train/x (uint8: rows, 28, 28), /train/y (uint8: rows), /test/x, /test/y and the names.
void make_garments(Hdf5File& file, const GarmentOptions& options, const WorkProgress& progress = {});

}  // namespace lockstep
