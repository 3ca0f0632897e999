#pragma once
#include <cstdint>
#include <string>
#include <vector>

// Data files whose every number is known.
namespace lockstep::testing {

inline constexpr std::int64_t kRows = 101, kHeight = 3, kWidth = 5, kPixels = kHeight * kWidth;

/// What element (row, pixel) is: exact in every type.
inline float pixel(std::int64_t row, std::int64_t i) { return static_cast<float>((row * 31 + i * 7) % 120); }
inline float label(std::int64_t row) { return static_cast<float>(row % 10); }
inline float weight(std::int64_t row) { return static_cast<float>(row % 4) / 4; }

struct Layout {
  std::string name;
  std::vector<unsigned long long> chunk;  // of (rows, 3, 5); empty: contiguous
  bool packed = false;
  bool compact = false;
  unsigned long long user_block = 0;
};

/// A data set of a file that HDF5 has open (`file`, its hid_t). Groups on its way are made.
void write_array(std::int64_t file, const std::string& name, std::int64_t stored, const std::vector<unsigned long long>& dims,
                 const std::vector<double>& values, const Layout& layout);

/// Rows [first, first + rows) of the formula above as /train/x, y, weight. `stored`: HDF5's type of x (hid_t).
void write_rows(const std::string& path, std::int64_t stored, const Layout& layout, std::int64_t first = 0, std::int64_t rows = kRows,
                bool weights = true);

/// Adds 1 to the last byte of a row of one array, in place.
void change_row(const std::string& path, const std::string& array, std::int64_t row);

}  // namespace lockstep::testing
