#pragma once
#include <cstdint>

#include "core/gemm.h"

// The loops of gemm.h over a Vector of some instruction set: for gemm_*.cpp only, each of which compiles them for its own. So everything here
// is internal to the file that includes it, and nothing of the standard library is used: the linker might keep that copy for all others.
namespace lockstep {
namespace {

/// Rows x Vectors accumulators stay in registers for the whole depth; the last vector of a row has `last` floats.
template <class Vector, int Rows, int Vectors, bool Whole>
[[gnu::always_inline]] inline void tile(const Product& p, std::int64_t row, std::int64_t column, typename Vector::Part last) {
  const auto load = [last](const float* from, int v) { return Whole || v + 1 < Vectors ? Vector::load(from) : Vector::load(from, last); };
  Vector sums[Rows][Vectors];
  float* const c = p.c + row * p.c_row + column;
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) sums[r][v] = p.resume ? load(c + r * p.c_row + v * Vector::kWidth, v) : Vector::all(0);
  }
  if (p.factor != 0) {  // what is added to is needed last: it may come in the meantime
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + r * p.c_row + v * Vector::kWidth, 1);
    }
  }
  const float *a = p.a + row * p.a_row, *b = p.b + column;
  for (std::int64_t k = 0; k < p.depth; ++k, a += p.a_depth, b += p.b_depth) {
    Vector from_b[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) from_b[v] = load(b + v * Vector::kWidth, v);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vector from_a = Vector::all(a[r * p.a_row]);
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sums[r][v] = Vector::fma(from_a, from_b[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      float* const to = c + r * p.c_row + v * Vector::kWidth;
      Vector value = sums[r][v];
      if (p.factor != 0) value = Vector::fma(Vector::all(p.factor), value, load(to, v));
      if (p.bias != nullptr) value = Vector::add(value, load(p.bias + column + v * Vector::kWidth, v));
      if (p.relu) value = Vector::positive(value);
      Whole || v + 1 < Vectors ? value.store(to) : value.store(to, last);
    }
  }
}

template <class Vector, int Rows, int Vectors>
[[gnu::noinline]] void tile(const Product& p, std::int64_t row, std::int64_t column, std::int64_t floats) {
  if (floats == Vector::kWidth) return tile<Vector, Rows, Vectors, true>(p, row, column, Vector::part(floats));
  tile<Vector, Rows, Vectors, false>(p, row, column, Vector::part(floats));
}

template <class Vector, int Rows>
void tile(const Product& p, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t vectors = (columns + Vector::kWidth - 1) / Vector::kWidth, last = columns - (vectors - 1) * Vector::kWidth;
  if (vectors == 3) return tile<Vector, Rows, 3>(p, row, column, last);
  if (vectors == 2) return tile<Vector, Rows, 2>(p, row, column, last);
  tile<Vector, Rows, 1>(p, row, column, last);
}

/// Panel by panel of columns, so that one of B serves all rows from the cache.
template <class Vector>
void multiply(const Product& p) {
  constexpr std::int64_t kPanel = 3 * Vector::kWidth;
  for (std::int64_t column = 0; column < p.columns; column += kPanel) {
    const std::int64_t columns = p.columns - column < kPanel ? p.columns - column : kPanel;
    std::int64_t row = 0;
    for (; row + Vector::kRows <= p.rows; row += Vector::kRows) tile<Vector, Vector::kRows>(p, row, column, columns);
    for (; row + 4 <= p.rows; row += 4) tile<Vector, 4>(p, row, column, columns);
    for (; row < p.rows; ++row) tile<Vector, 1>(p, row, column, columns);
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
