#pragma once
#include <cstdint>

#include "core/math/gemm/gemm.h"

// The loops of gemm.h over a Vector of some instruction set: for avx2.cpp, avx512.cpp and portable.cpp only, each of which compiles them
// for its own. So everything here is internal to the file that includes it, and nothing of the standard library is used: the linker might
// keep that copy for all others.
namespace lockstep {
namespace {

/// What follows the sums: factor, bias, relu. Each is asked for once a tile, not once a vector.
template <int Rows, int Vectors, class Vector, class Load>
[[gnu::always_inline]] inline void finish(Vector (&sums)[Rows][Vectors], const Gemm& p, const float* c, std::int64_t column,
                                          const Load& load) {
  if (p.factor != 0) {
    const Vector factor = Vector::all(p.factor);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sums[r][v] = Vector::fma(factor, sums[r][v], load(c + r * p.c_row, v));
    }
  }
  if (p.bias != nullptr) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      const Vector bias = load(p.bias + column, v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) sums[r][v] = Vector::add(sums[r][v], bias);
    }
  }
  if (p.relu) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sums[r][v] = Vector::positive(sums[r][v]);
    }
  }
}

/// Rows x Vectors accumulators stay in registers for the whole depth; the last vector of a row has `last` floats. What of `p` the loops
/// need is read before them: for all that the compiler knows, a store to C may change it.
template <class Vector, int Rows, int Vectors, bool Whole>
[[gnu::always_inline]] inline void tile(const Gemm& p, std::int64_t row, std::int64_t column, typename Vector::Part last) {
  const auto load = [last](const float* from, int v) {
    return Whole || v + 1 < Vectors ? Vector::load(from + v * Vector::kWidth) : Vector::load(from + v * Vector::kWidth, last);
  };
  const std::int64_t c_row = p.c_row, depth = p.depth, a_row = p.a_row, a_depth = p.a_depth, b_depth = p.b_depth;
  const bool resume = p.resume, scaled = p.factor != 0;
  float* const c = p.c + row * c_row + column;
  Vector sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) sums[r][v] = resume ? load(c + r * c_row, v) : Vector::all(0);
  }
  const float *a = p.a + row * a_row, *b = p.b + column;
  for (std::int64_t k = 0; k < depth; ++k, a += a_depth, b += b_depth) {
    if (scaled && k < Rows) {  // what is added to is needed last: a row an iteration, since all at once would hold up A and B
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + k * c_row + v * Vector::kWidth, 1);
    }
    if (a_row == 1) __builtin_prefetch(a + Rows);  // A's columns, for the next tile: no prefetcher follows strides over pages
    Vector from_b[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) from_b[v] = load(b, v);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vector from_a = Vector::all(a[r * a_row]);
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sums[r][v] = Vector::fma(from_a, from_b[v], sums[r][v]);
    }
  }
  finish<Rows, Vectors, Vector>(sums, p, c, column, load);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      float* const to = c + r * c_row + v * Vector::kWidth;
      Whole || v + 1 < Vectors ? sums[r][v].store(to) : sums[r][v].store(to, last);
    }
  }
}

/// Tiles from `row` on, as many as there are; returns the first row that is left.
template <class Vector, int Rows, int Vectors>
[[gnu::noinline]] std::int64_t tiles(const Gemm& product, std::int64_t row, std::int64_t column, std::int64_t floats) {
  const Gemm p = product;
  const auto last = Vector::part(floats);
  if (floats == Vector::kWidth) {
    for (; row + Rows <= p.rows; row += Rows) tile<Vector, Rows, Vectors, true>(p, row, column, last);
  } else {
    for (; row + Rows <= p.rows; row += Rows) tile<Vector, Rows, Vectors, false>(p, row, column, last);
  }
  return row;
}

template <class Vector, int Rows>
std::int64_t tiles(const Gemm& p, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t vectors = (columns + Vector::kWidth - 1) / Vector::kWidth, last = columns - (vectors - 1) * Vector::kWidth;
  if (vectors == 3) return tiles<Vector, Rows, 3>(p, row, column, last);
  if (vectors == 2) return tiles<Vector, Rows, 2>(p, row, column, last);
  return tiles<Vector, Rows, 1>(p, row, column, last);
}

/// Panel by panel of columns, so that one of B serves all rows from the cache.
template <class Vector>
void multiply(const Gemm& p) {
  constexpr std::int64_t kPanel = 3 * Vector::kWidth;
  for (std::int64_t column = 0; column < p.columns; column += kPanel) {
    const std::int64_t columns = p.columns - column < kPanel ? p.columns - column : kPanel;
    std::int64_t row = tiles<Vector, Vector::kRows>(p, 0, column, columns);
    row = tiles<Vector, 4>(p, row, column, columns);
    tiles<Vector, 1>(p, row, column, columns);
  }
}

/// kWidth x 4 at a time; what is left one by one.
template <class Vector>
void transpose(const float* from, std::int64_t stride, std::int64_t count, std::int64_t depth, float* to) {
  const std::int64_t whole = count / Vector::kWidth * Vector::kWidth, quads = depth / 4 * 4;
  for (std::int64_t i = 0; i < whole; i += Vector::kWidth) {
    for (std::int64_t k = 0; k < quads; k += 4) Vector::transpose(from + i * stride + k, stride, to + k * count + i, count);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = i < whole ? quads : 0; k < depth; ++k) to[k * count + i] = from[i * stride + k];
  }
}

}  // namespace
}  // namespace lockstep
