#pragma once
#include <zlib.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// A file as np.save writes it.
inline std::string npy(const std::string& descr, const std::string& shape, const std::string& bytes, bool fortran = false) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  const std::string length{static_cast<char>(header.size() & 0xFFU), static_cast<char>(header.size() >> 8U)};
  return std::string("\x93NUMPY\1\0", 8) + length + header + bytes;
}

/// A number of so many bytes, little-endian.
inline std::string zip_number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// Deflated without a header, as a zip archive holds it.
inline std::string raw_deflate(const std::string& bytes) {
  z_stream z{};
  if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflateInit2");
  std::string out(deflateBound(&z, bytes.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// An archive of members NAME.npy, as np.savez or np.savez_compressed write it.
inline std::string npz(const std::vector<std::pair<std::string, std::string>>& arrays, bool compressed) {
  std::string members, directory;
  for (const auto& [array, bytes] : arrays) {
    const std::string name = array + ".npy", stored = compressed ? raw_deflate(bytes) : bytes;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    const std::string about = zip_number(20, 2) + zip_number(0, 2) + zip_number(compressed ? 8 : 0, 2) + zip_number(0x21'0000, 4) +
                              zip_number(crc, 4) + zip_number(stored.size(), 4) + zip_number(bytes.size(), 4) + zip_number(name.size(), 2) +
                              zip_number(0, 2);
    directory += zip_number(0x02014b50, 4) + zip_number(20, 2) + about + zip_number(0, 2) + zip_number(0, 2) + zip_number(0, 2) +
                 zip_number(0, 4) + zip_number(members.size(), 4) + name;
    members += zip_number(0x04034b50, 4) + about + name + stored;
  }
  const std::string count = zip_number(arrays.size(), 2);
  return members + directory + zip_number(0x06054b50, 4) + zip_number(0, 4) + count + count + zip_number(directory.size(), 4) +
         zip_number(members.size(), 4) + zip_number(0, 2);
}

}  // namespace lockstep::testing
