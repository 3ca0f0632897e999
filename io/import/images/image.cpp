#include "io/import/images/image.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "cluster/error.h"
#include "core/network/memory_need.h"

namespace lockstep {
namespace {

constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n", kJpeg = "\xFF\xD8\xFF";

/// Pictures beyond it are looked at for memory; smaller ones always have room.
void expect_room(const ImageInfo& info, int channels, const std::string& name) {
  constexpr double kSmall = 16 << 20;
  const double bytes = static_cast<double>(info.height) * static_cast<double>(info.width) * channels;
  if (bytes > kSmall) expect_memory(bytes, fmt::format("{}: a picture of {} x {}", name, info.height, info.width), "Make it smaller");
}

/// Grey of ITU-R 601 in whole numbers, as Pillow has it.
std::uint8_t luma(const std::uint8_t* rgb) {
  const std::uint32_t sum = 19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 0x8000U;
  return static_cast<std::uint8_t>(sum >> 16U);
}

/// libpng's reader of whole pictures; its memory goes with it.
class PngReader {
 public:
  PngReader(std::string_view file, const std::string& name) : name_(name) {
    image_.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_memory(&image_, file.data(), file.size()) == 0) fail();
    image_.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_image_free(&image_); }

  ImageInfo info() const { return {image_.height, image_.width, (image_.format & PNG_FORMAT_FLAG_COLOR) != 0}; }
  bool transparent() const { return (image_.format & PNG_FORMAT_FLAG_ALPHA) != 0; }

  std::vector<std::uint8_t> read(png_uint_32 format) {
    image_.format = format;
    std::vector<std::uint8_t> bytes(PNG_IMAGE_SIZE(image_));
    if (png_image_finish_read(&image_, nullptr, bytes.data(), 0, nullptr) == 0) fail();
    return bytes;
  }

 private:
  [[noreturn]] void fail() const { throw Error(name_ + ": not a whole PNG: " + image_.message + "; copy it again"); }
  const std::string& name_;
  png_image image_{};
};

Image decode_png(std::string_view file, bool colour, const std::string& name) {
  PngReader reader(file, name);
  const ImageInfo info = reader.info();
  expect_room(info, 8, name);  // as stored, and as wanted
  const bool transparent = reader.transparent();
  const png_uint_32 format = (info.colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY) | (transparent ? PNG_FORMAT_FLAG_ALPHA : 0U);
  const std::size_t step = (info.colour ? 3U : 1U) + (transparent ? 1U : 0U);
  std::vector<std::uint8_t> stored = reader.read(format);
  Image image{info.height, info.width, colour ? 3 : 1, {}};
  if (info.colour == colour && !transparent) {
    image.bytes = std::move(stored);
    return image;
  }
  image.bytes.reserve(stored.size() / step * (colour ? 3 : 1));
  for (std::size_t at = 0; at < stored.size(); at += step) {
    const std::uint8_t* pixel = stored.data() + at;
    if (!colour) {
      image.bytes.push_back(info.colour ? luma(pixel) : *pixel);
      continue;
    }
    for (std::size_t c = 0; c < 3; ++c) image.bytes.push_back(info.colour ? pixel[c] : *pixel);
  }
  return image;
}

/// libjpeg-turbo's decoder.
class JpegReader {
 public:
  JpegReader(std::string_view file, const std::string& name)
      : name_(name), bytes_(reinterpret_cast<const unsigned char*>(file.data())), size_(file.size()), decoder_(tjInitDecompress()) {
    if (decoder_ == nullptr || tjDecompressHeader3(decoder_, bytes_, size_, &width_, &height_, &subsampling_, &space_) != 0) fail();
    if (space_ == TJCS_CMYK || space_ == TJCS_YCCK)
      throw Error(name_ + ": a JPEG for print (CMYK); convert it to RGB (convert IN -colorspace sRGB OUT)");
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() {
    if (decoder_ != nullptr) tjDestroy(decoder_);
  }

  ImageInfo info() const { return {height_, width_, space_ != TJCS_GRAY}; }

  Image read(bool colour) {
    Image image{height_, width_, colour ? 3 : 1, {}};
    image.bytes.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
    const int format = colour ? TJPF_RGB : TJPF_GRAY;
    if (tjDecompress2(decoder_, bytes_, size_, image.bytes.data(), width_, 0, height_, format, TJFLAG_STOPONWARNING) != 0) fail();
    return image;
  }

 private:
  [[noreturn]] void fail() const { throw Error(name_ + ": not a whole JPEG: " + tjGetErrorStr2(decoder_) + "; copy it again"); }
  const std::string& name_;
  const unsigned char* bytes_;
  unsigned long size_;
  tjhandle decoder_;
  int width_ = 0, height_ = 0, subsampling_ = 0, space_ = 0;
};

/// What a pixel of the new grid takes of the old one along an axis.
struct Weights {
  std::int64_t first;
  std::vector<float> weights;
};

std::vector<Weights> axis_weights(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), reach = std::max(scale, 1.0);
  std::vector<Weights> axis;
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - reach + 0.5)),
               last = std::min(from, static_cast<std::int64_t>(centre + reach + 0.5));
    Weights& pixel = axis.emplace_back(Weights{first, {}});
    double sum = 0;
    for (std::int64_t at = first; at < last; ++at) {
      const double weight = std::max(0.0, 1 - std::abs((static_cast<double>(at) - centre + 0.5) / reach));
      pixel.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : pixel.weights) weight /= static_cast<float>(sum);
  }
  return axis;
}

std::uint8_t rounded(float value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.F, 255.F)); }

/// One axis of `lines` lines; `stride` is between neighbours along it.
void resize_line(const std::vector<Weights>& axis, const std::uint8_t* in, std::uint8_t* out, std::int64_t in_stride,
                 std::int64_t out_stride) {
  for (const Weights& pixel : axis) {
    float sum = 0;
    const std::uint8_t* at = in + pixel.first * in_stride;
    for (const float weight : pixel.weights) {
      sum += weight * static_cast<float>(*at);
      at += in_stride;
    }
    *out = rounded(sum);
    out += out_stride;
  }
}

}  // namespace

ImageInfo image_info(std::string_view file, const std::string& name) {
  if (file.starts_with(kPng)) return PngReader(file, name).info();
  if (file.starts_with(kJpeg)) return JpegReader(file, name).info();
  throw Error(name + ": neither a PNG nor a JPEG by its first bytes; convert it, or take it out of the folder");
}

Image decode_image(std::string_view file, bool colour, const std::string& name) {
  if (file.starts_with(kPng)) return decode_png(file, colour, name);
  if (!file.starts_with(kJpeg)) image_info(file, name);
  JpegReader reader(file, name);
  expect_room(reader.info(), colour ? 3 : 1, name);
  return reader.read(colour);
}

Image resized(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.height == height && image.width == width) return image;
  const std::int64_t channels = image.channels;
  Image wide{image.height, width, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(image.height * width * channels))};
  const std::vector<Weights> across = axis_weights(image.width, width), down = axis_weights(image.height, height);
  for (std::int64_t row = 0; row < image.height; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      resize_line(across, image.bytes.data() + row * image.width * channels + c, wide.bytes.data() + row * width * channels + c, channels,
                  channels);
    }
  }
  Image result{height, width, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * channels))};
  for (std::int64_t column = 0; column < width * channels; ++column) {
    resize_line(down, wide.bytes.data() + column, result.bytes.data() + column, width * channels, width * channels);
  }
  return result;
}

}  // namespace lockstep
