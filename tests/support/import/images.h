#pragma once
#include <png.h>
#include <turbojpeg.h>

#include <string>

#include "io/import/images/image.h"

// Pictures as files.
namespace lockstep::testing {

inline std::string png(const Image& image, bool transparent = false) {
  png_image head{};
  head.version = PNG_IMAGE_VERSION;
  head.width = static_cast<png_uint_32>(image.width);
  head.height = static_cast<png_uint_32>(image.height);
  head.format = image.channels == 3 ? PNG_FORMAT_RGB : image.channels == 1 && transparent ? PNG_FORMAT_GA : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&head, nullptr, &size, 0, image.bytes.data(), 0, nullptr);
  std::string file(size, '\0');
  png_image_write_to_memory(&head, file.data(), &size, 0, image.bytes.data(), 0, nullptr);
  file.resize(size);
  return file;
}

inline std::string jpeg(const Image& image) {
  const tjhandle encoder = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, image.bytes.data(), static_cast<int>(image.width), 0, static_cast<int>(image.height),
              image.channels == 3 ? TJPF_RGB : TJPF_GRAY, &bytes, &size, image.channels == 3 ? TJSAMP_444 : TJSAMP_GRAY, 100, 0);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(encoder);
  return file;
}

}  // namespace lockstep::testing
