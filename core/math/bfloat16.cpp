#include "core/math/bfloat16.h"

#include <algorithm>
#include <array>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lockstep {

BfloatPairs::BfloatPairs(std::int64_t length, std::int64_t columns) : length_(length), columns_(columns), pairs_((length + 1) / 2) {
  lines_.resize(static_cast<std::size_t>(panel() / 16 * ((columns + 15) / 16)));
}

BfloatRows::BfloatRows(std::int64_t rows, std::int64_t length) : length_(length) {
  lines_.resize(static_cast<std::size_t>(rows * stride() / 16));
}

#if defined(__x86_64__)

bool has_bfloat16() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bf16");
  return has;
}

// One build runs everywhere: what follows is compiled for AVX512_BF16 and called only where has_bfloat16().
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512bf16")

namespace {

constexpr std::int64_t kLanes = 16, kTileRows = 8, kTileLines = 3;  // 24 accumulators of the 32 registers
constexpr __mmask16 kAll = 0xffff;

__mmask16 mask(std::int64_t count) { return count >= kLanes ? kAll : static_cast<__mmask16>((1U << std::max<std::int64_t>(count, 0)) - 1); }

/// 32 bfloat16 numbers: those of `low`, then those of `high`.
__m512i rounded(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

/// The left operand, (rows, pairs): word (m, k) at words[m / 16 * panel + m % 16 * row + k * pair].
struct Left {
  const std::uint32_t* words;
  std::int64_t panel, row, pair;
  const std::uint32_t* at(std::int64_t m) const { return words + m / 16 * panel + m % 16 * row; }
};

/// c = factor * product + start; start null: 0.
struct Target {
  float* c;
  std::int64_t stride;
  const float* start;
  std::int64_t start_stride;
  float factor;
};

/// A tile of c: Rows rows, Lines times 16 columns, the last 16 as far as `last` says.
template <int Rows, int Lines>
void tile(const Left& left, std::int64_t m, const std::uint32_t* right, std::int64_t panel, std::int64_t pairs, const Target& target,
          __mmask16 last) {
  __m512 sum[Rows][Lines];
  for (auto& row : sum) {
    for (__m512& lane : row) lane = _mm512_setzero_ps();
  }
  const std::uint32_t* x = left.at(m);
  const std::int64_t row = left.row, pair = left.pair;
  for (std::int64_t k = 0; k < pairs; ++k, x += pair, right += kLanes) {
    __m512bh w[Lines];
#pragma GCC unroll 3
    for (int j = 0; j < Lines; ++j) w[j] = reinterpret_cast<__m512bh>(_mm512_load_si512(right + j * panel));
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const auto broadcast = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(x[i * row])));
#pragma GCC unroll 3
      for (int j = 0; j < Lines; ++j) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], broadcast, w[j]);
    }
  }
  const __m512 factor = _mm512_set1_ps(target.factor);
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
    for (int j = 0; j < Lines; ++j) {
      const __mmask16 wanted = j == Lines - 1 ? last : kAll;
      const std::int64_t at = i * target.start_stride + j * kLanes;
      const __m512 start = target.start == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(wanted, target.start + at);
      _mm512_mask_storeu_ps(target.c + i * target.stride + j * kLanes, wanted, _mm512_fmadd_ps(sum[i][j], factor, start));
    }
  }
}

using Tile = decltype(&tile<1, 1>);
template <int Lines, std::size_t... Rows>
constexpr std::array<Tile, kTileRows> tiles(std::index_sequence<Rows...>) {
  return {&tile<static_cast<int>(Rows) + 1, Lines>...};
}
constexpr std::array<std::array<Tile, kTileRows>, kTileLines> kTiles = {tiles<1>(std::make_index_sequence<kTileRows>()),
                                                                        tiles<2>(std::make_index_sequence<kTileRows>()),
                                                                        tiles<3>(std::make_index_sequence<kTileRows>())};

/// Rows [first, last) of the left operand times all columns of the right one; column by column, so that a panel serves all rows from the
/// cache.
void product(const Left& left, std::int64_t first, std::int64_t last, const BfloatPairs& right, const Target& target) {
  for (std::int64_t column = 0; column < right.columns(); column += kTileLines * kLanes) {
    const std::int64_t lines = std::min(kTileLines, (right.columns() - column + kLanes - 1) / kLanes);
    const __mmask16 wanted = mask(right.columns() - column - (lines - 1) * kLanes);
    const std::uint32_t* panels = right.words() + column / kLanes * right.panel();
    for (std::int64_t m = first; m < last; m += kTileRows) {
      const std::int64_t rows = std::min(kTileRows, last - m), at = m - first;
      const Target part{target.c + at * target.stride + column, target.stride,
                        target.start == nullptr ? nullptr : target.start + at * target.start_stride + column, target.start_stride,
                        target.factor};
      kTiles[static_cast<std::size_t>(lines - 1)][static_cast<std::size_t>(rows - 1)](left, m, panels, right.panel(), right.pairs(), part,
                                                                                      wanted);
    }
  }
}

}  // namespace

void BfloatPairs::take(const float* matrix, std::int64_t first, std::int64_t last) {
  alignas(64) static constexpr std::array<std::uint16_t, 32> kZip = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i zip = _mm512_load_si512(kZip.data());
  for (std::int64_t l = first; l < last; l += 2) {
    const float *low = matrix + l * columns_, *high = l + 1 < length_ ? low + columns_ : nullptr;
    BfloatLine* line = lines_.data() + l / 2;
    for (std::int64_t c = 0; c < columns_; c += kLanes, line += panel() / kLanes) {
      const __mmask16 wanted = mask(columns_ - c);
      const __m512 other = high == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(wanted, high + c);
      _mm512_store_si512(line, _mm512_permutexvar_epi16(zip, rounded(_mm512_maskz_loadu_ps(wanted, low + c), other)));
    }
  }
}

void BfloatPairs::take_transposed(const float* matrix, std::int64_t first, std::int64_t last) {
  const __m512i down =
      _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(kLanes));
  std::array<BfloatLine, kLanes> square{};  // (column, pair)
  for (std::int64_t c = first; c < last; c += kLanes) {
    BfloatLine* const to = lines_.data() + c / kLanes * (panel() / kLanes);
    for (std::int64_t k = 0; k < pairs_; k += kLanes) {
      for (std::int64_t i = 0; i < std::min(kLanes, last - c); ++i) {
        const float* row = matrix + (c + i) * length_ + 2 * k;
        const __mmask16 low = mask(length_ - 2 * k), high = mask(length_ - 2 * k - kLanes);
        _mm512_store_si512(&square[static_cast<std::size_t>(i)],
                           rounded(_mm512_maskz_loadu_ps(low, row), _mm512_maskz_loadu_ps(high, row + kLanes)));
      }
      for (std::int64_t p = 0; p < std::min(kLanes, pairs_ - k); ++p) {
        _mm512_store_si512(to + k + p, _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), kAll, down, square.front().words + p, 4));
      }
    }
  }
}

void BfloatRows::take(const float* matrix, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r, matrix += length_) {
    BfloatLine* line = lines_.data() + r * (stride() / kLanes);
    for (std::int64_t l = 0; l < length_; l += 2 * kLanes, ++line) {
      const __mmask16 low = mask(length_ - l), high = mask(length_ - l - kLanes);
      _mm512_store_si512(line, rounded(_mm512_maskz_loadu_ps(low, matrix + l), _mm512_maskz_loadu_ps(high, matrix + l + kLanes)));
    }
  }
}

void bfloat16_product(const BfloatRows& x, std::int64_t rows, const BfloatPairs& w, const float* bias, float* y) {
  product({x.words(), 16 * x.stride(), x.stride(), 1}, 0, rows, w, {y, w.columns(), bias, 0, 1});
}

void bfloat16_gradient(const BfloatPairs& x, const BfloatPairs& d, std::int64_t first, std::int64_t last, float factor, bool add,
                       float* c) {
  product({x.words(), x.panel(), 1, kLanes}, first, last, d, {c, d.columns(), add ? c : nullptr, d.columns(), factor});
}

#pragma GCC pop_options

#else

bool has_bfloat16() { return false; }
void BfloatPairs::take(const float*, std::int64_t, std::int64_t) {}
void BfloatPairs::take_transposed(const float*, std::int64_t, std::int64_t) {}
void BfloatRows::take(const float*, std::int64_t) {}
void bfloat16_product(const BfloatRows&, std::int64_t, const BfloatPairs&, const float*, float*) {}
void bfloat16_gradient(const BfloatPairs&, const BfloatPairs&, std::int64_t, std::int64_t, float, bool, float*) {}

#endif

}  // namespace lockstep
