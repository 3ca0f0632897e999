#pragma once
#include <cstdint>
#include <vector>

namespace lockstep {

// Matrix products in bfloat16 with float32 sums, for CPUs with AVX512_BF16. Numbers are rounded to nearest even on their way into the
// layouts below; every element of a product is summed over the pairs in their order by one accumulator, so its bits depend neither on where
// a matrix is cut nor on how many rows or columns are asked for at a time.
//
// Not oneDNN's: its bfloat16 GEMMs pack both operands on every call, so that 32 rows of 784 x 300 take 85 us against 65 here; at 256 rows
// its primitives take 1455 us for a step of 784-300-100-10 against 1290 (AMD Zen 4, one core, 512 us of the 784 x 300 product being the
// silicon's).

/// Whether this machine has AVX512_BF16 (Intel Cooper Lake, Sapphire Rapids and later, AMD Zen 4 and later). Nothing else here may be
/// called where it is false.
bool has_bfloat16();

/// Rows of this many floats that a thread takes at a time: a multiple of 32 with some 64 Ki floats, below which waking another costs more.
inline std::int64_t bfloat16_piece(std::int64_t width) { return ((1 << 16) / width / 32 + 1) * 32; }

/// 16 pairs of bfloat16 numbers, a cache line.
struct alignas(64) BfloatLine {
  std::uint32_t words[16] = {};
};

/// A matrix (length, columns), `length` being the axis that a product sums over, in pairs along it: word (l / 2, c) holds (l, c) in its low
/// half and (l + 1, c) in its high one, 0 beyond the end. Panels of 16 columns, one after the other, each a line per pair.
class BfloatPairs {
 public:
  BfloatPairs() = default;
  BfloatPairs(std::int64_t length, std::int64_t columns);

  /// Rows [first, last) from a row-major float matrix (length, columns); `first` even, `last` even or the length.
  void take(const float* matrix, std::int64_t first, std::int64_t last);
  /// Columns [first, last) from a row-major float matrix (columns, length); `first` a multiple of 16, `last` as well or the end.
  void take_transposed(const float* matrix, std::int64_t first, std::int64_t last);

  std::int64_t pairs() const { return pairs_; }
  std::int64_t columns() const { return columns_; }
  /// Words from one panel to the next; an odd number of lines, so that the same pair of all panels does not fall into one set of the cache.
  std::int64_t panel() const { return (pairs_ | 1) * 16; }
  const std::uint32_t* words() const { return lines_.empty() ? nullptr : lines_.front().words; }

 private:
  std::int64_t length_ = 0, columns_ = 0, pairs_ = 0;
  std::vector<BfloatLine> lines_;
};

/// A row-major matrix (rows, length) as it is: the pairs are neighbours in a row. Room for `rows` rows, of which a product uses the first.
class BfloatRows {
 public:
  BfloatRows() = default;
  BfloatRows(std::int64_t rows, std::int64_t length);

  /// Rows [0, rows) from a row-major float matrix (rows, length).
  void take(const float* matrix, std::int64_t rows);

  std::int64_t stride() const { return ((length_ + 31) / 32 | 1) * 16; }  ///< words from row to row
  const std::uint32_t* words() const { return lines_.empty() ? nullptr : lines_.front().words; }

 private:
  std::int64_t length_ = 0;
  std::vector<BfloatLine> lines_;
};

/// y = x w + bias, or without a bias where it is null: x (rows, length), w (length, columns), y (rows, columns) row-major.
void bfloat16_product(const BfloatRows& x, std::int64_t rows, const BfloatPairs& w, const float* bias, float* y);

/// Rows [first, last) of c = factor * x^T d, or with `add` of c += factor * x^T d: x (length, in), d (length, out), c (in, out) row-major;
/// `c` points at row `first`, a multiple of 8.
void bfloat16_gradient(const BfloatPairs& x, const BfloatPairs& d, std::int64_t first, std::int64_t last, float factor, bool add, float* c);

}  // namespace lockstep
