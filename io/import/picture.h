#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/file.h"

namespace lockstep {

/// A grey picture, row by row, 0 black to 255 white.
struct Picture {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

/// Whether rows of this data set are images: (rows, height, width), or with 1, 3 or 4 channels last.
bool holds_images(const ArrayInfo& info);

/// Rows [lo, hi) as pictures. uint8 as it is; other types scaled so that the smallest value of these rows is black and the largest white.
/// Channels are averaged.
std::vector<Picture> read_pictures(const Hdf5File& file, const std::string& dataset, std::int64_t lo, std::int64_t hi);

/// Pictures of one size side by side, `columns` to a line, with a gap of `gap` grey pixels.
Picture contact_sheet(const std::vector<Picture>& pictures, std::int64_t columns, std::int64_t gap);

/// 8-bit grey PNG, replaced as a whole.
void write_png(const std::string& path, const Picture& picture);

/// How a terminal can show a picture: half blocks in 24 greys (256-colour terminals), five Unicode shades, or ten ASCII characters.
enum class TextStyle { half_blocks, shades, ascii };

/// One character per column, one line per two rows of pixels.
std::string picture_text(const Picture& picture, TextStyle style);

}  // namespace lockstep
