#include "io/import/picture.h"

#include <fmt/format.h>
#include <png.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "cluster/error.h"
#include "core/network/memory_need.h"
#include "io/hdf5/written.h"

namespace lockstep {
namespace {

constexpr std::uint8_t kGap = 128;
constexpr int kFirstGrey = 232, kGreys = 24;  // of the 256-colour palette

int grey_of(std::uint8_t pixel) { return kFirstGrey + pixel * (kGreys - 1) / 255; }

std::uint8_t pixel_at(const Picture& picture, std::int64_t row, std::int64_t column) {
  return row < picture.height ? picture.pixels[static_cast<std::size_t>(row * picture.width + column)] : std::uint8_t{0};
}

/// Values of some rows as grey: averaged over channels, scaled.
std::vector<std::uint8_t> to_grey(const std::vector<float>& values, std::size_t channels, bool bytes) {
  float lo = 0, hi = 255;
  if (!bytes) {
    lo = hi = values.empty() ? 0 : values[0];
    for (float value : values) {
      if (std::isfinite(value)) lo = std::min(lo, value), hi = std::max(hi, value);
    }
  }
  const float scale = hi > lo ? 255 / (hi - lo) : 0;
  std::vector<std::uint8_t> grey;
  for (std::size_t i = 0; i < values.size(); i += channels) {
    float sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += values[i + c];
    const float level = (sum / static_cast<float>(channels) - lo) * scale;
    grey.push_back(std::isfinite(level) ? static_cast<std::uint8_t>(std::clamp(level, 0.0F, 255.0F) + 0.5F) : std::uint8_t{0});
  }
  return grey;
}

}  // namespace

bool holds_images(const ArrayInfo& info) {
  const std::size_t axes = info.shape.size();
  if (info.type == ElementType::other || (axes != 3 && axes != 4) || info.row_elements() == 0) return false;
  return axes == 3 ? info.shape[1] > 1 && info.shape[2] > 1 : info.shape[3] == 1 || info.shape[3] == 3 || info.shape[3] == 4;
}

std::vector<Picture> read_pictures(const Hdf5File& file, const std::string& dataset, std::int64_t lo, std::int64_t hi) {
  const ArrayInfo info = file.info(dataset);
  if (!holds_images(info)) {
    throw Error(fmt::format("{}: data set '{}' of shape ({}) holds no images", file.path(), dataset, fmt::join(info.shape, ", ")));
  }
  expect_written(file, info, lo, hi);
  constexpr double kElement = sizeof(float) + 3;  // bytes, with its greys and the sheet
  expect_memory(static_cast<double>(hi - lo) * static_cast<double>(info.row_elements()) * kElement,
                fmt::format("{}: drawing {} rows of data set '{}', each of shape ({}),", file.path(), hi - lo, dataset,
                            fmt::join(info.shape.begin() + 1, info.shape.end(), ", ")),
                "Draw fewer (--rows)");
  std::vector<float> values(static_cast<std::size_t>((hi - lo) * info.row_elements()));
  file.read_rows<float>(dataset, lo, hi, values);
  const auto channels = static_cast<std::size_t>(info.shape.size() == 4 ? info.shape[3] : 1);
  const std::vector<std::uint8_t> grey = to_grey(values, channels, info.type == ElementType::u8);
  std::vector<Picture> pictures;
  const std::int64_t pixels = info.shape[1] * info.shape[2];
  for (std::int64_t i = 0; i < hi - lo; ++i) {
    pictures.push_back({info.shape[2], info.shape[1], {grey.begin() + i * pixels, grey.begin() + (i + 1) * pixels}});
  }
  return pictures;
}

Picture contact_sheet(const std::vector<Picture>& pictures, std::int64_t columns, std::int64_t gap) {
  if (pictures.empty()) return {};
  const auto count = static_cast<std::int64_t>(pictures.size());
  columns = std::clamp<std::int64_t>(columns, 1, count);
  const std::int64_t width = pictures[0].width, height = pictures[0].height, lines = (count + columns - 1) / columns;
  Picture sheet{columns * (width + gap) - gap, lines * (height + gap) - gap, {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.width * sheet.height), kGap);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t left = i % columns * (width + gap), top = i / columns * (height + gap);
    for (std::int64_t row = 0; row < height; ++row) {
      const auto from = pictures[static_cast<std::size_t>(i)].pixels.begin() + row * width;
      std::copy(from, from + width, sheet.pixels.begin() + (top + row) * sheet.width + left);
    }
  }
  return sheet;
}

void write_png(const std::string& path, const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_GRAY;
  const std::string partial = path + ".partial-" + std::to_string(getpid());
  if (png_image_write_to_file(&image, partial.c_str(), 0, picture.pixels.data(), 0, nullptr) == 0) {
    unlink(partial.c_str());
    throw Error(fmt::format("{}: cannot write the picture: {}", path, image.message));
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    unlink(partial.c_str());
    throw Error(fmt::format("{}: cannot take its final name: {}", path, std::strerror(reason)));
  }
}

std::string picture_text(const Picture& picture, TextStyle style) {
  static constexpr std::array<std::string_view, 5> kShades{" ", "\u2591", "\u2592", "\u2593", "\u2588"};
  static constexpr std::string_view kRamp = " .:-=+*#%@";
  std::string text;
  for (std::int64_t row = 0; row < picture.height; row += 2) {
    for (std::int64_t column = 0; column < picture.width; ++column) {
      const std::uint8_t upper = pixel_at(picture, row, column), lower = pixel_at(picture, row + 1, column);
      const auto mean = static_cast<std::size_t>((upper + lower) / 2);
      if (style == TextStyle::half_blocks) {
        text += fmt::format("\033[38;5;{};48;5;{}m\u2580", grey_of(upper), grey_of(lower));  // upper half in the foreground colour
      } else {
        text += style == TextStyle::shades ? kShades[mean * kShades.size() / 256] : kRamp.substr(mean * kRamp.size() / 256, 1);
      }
    }
    text += style == TextStyle::half_blocks ? "\033[0m\n" : "\n";
  }
  return text;
}

}  // namespace lockstep
