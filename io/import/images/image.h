#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// A picture of bytes, row by row, 1 channel (grey) or 3 (red, green, blue).
struct Image {
  std::int64_t height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> bytes;
};

/// What a file says of its picture before it is decoded.
struct ImageInfo {
  std::int64_t height = 0, width = 0;
  bool colour = false;
};

/// PNG or JPEG by its first bytes; `name` is for messages. Anything else is an Error.
ImageInfo image_info(std::string_view file, const std::string& name);

/// A PNG or JPEG as grey or colour. Grey of a colour picture is its luma (ITU-R 601), as Pillow computes it. Transparency is dropped, 16
/// bits become 8. Damaged files, and pictures that memory has no room for, are an Error.
Image decode_image(std::string_view file, bool colour, const std::string& name);

/// The picture in another size. Each pixel is a weighted mean of those below it: weights fall linearly with the distance from its centre,
/// up to one pixel of the coarser grid (Pillow's BILINEAR).
Image resized(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace lockstep
