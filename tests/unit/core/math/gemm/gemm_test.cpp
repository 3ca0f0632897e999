// The kernels for small products: right, and the same bits whatever the instruction set and however rows and columns are cut into calls.
#include "core/math/gemm/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace lockstep {
namespace {

using Floats = std::vector<float>;

Floats normal(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  Floats values(static_cast<std::size_t>(count));
  for (float& value : values) value = distribution(generator);
  return values;
}

struct Shape3 {
  std::int64_t rows, in, out;
};
const Shape3 kShapes[] = {{1, 1, 1},  {5, 7, 3},     {16, 157, 101}, {33, 53, 49}, {8, 300, 100},
                          {3, 17, 5}, {32, 100, 10}, {13, 10, 300},  {9, 24, 96},  {9, 600, 100}};

std::vector<const GemmKernels*> kernels() {
  std::vector<const GemmKernels*> usable{&kGemmPortable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable.push_back(&kGemmAvx2);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    usable.push_back(&kGemmAvx512);
#endif
  return usable;
}

/// y = x W for a part of rows and columns.
void forward(const GemmKernels& with, const Shape3& s, const Floats& x, const Floats& w, Floats& y, std::int64_t row, std::int64_t rows,
             std::int64_t column, std::int64_t columns) {
  with.multiply({.rows = rows,
                 .columns = columns,
                 .depth = s.in,
                 .a = x.data() + row * s.in,
                 .a_row = s.in,
                 .a_depth = 1,
                 .b = w.data() + column,
                 .b_depth = s.out,
                 .c = y.data() + row * s.out + column,
                 .c_row = s.out});
}

/// The chain of fused multiply-adds that gemm.h promises.
float chain(const Shape3& s, const Floats& x, const Floats& w, std::int64_t r, std::int64_t c, float sum = 0) {
  for (std::int64_t k = 0; k < s.in; ++k) {
    sum = std::fma(x[static_cast<std::size_t>(r * s.in + k)], w[static_cast<std::size_t>(k * s.out + c)], sum);
  }
  return sum;
}

TEST(Gemm, IsTheChainInEveryInstructionSetAndCut) {
  for (const Shape3& s : kShapes) {
    const Floats x = normal(s.rows * s.in, 1), w = normal(s.in * s.out, 2);
    Floats expected(static_cast<std::size_t>(s.rows * s.out));
    for (std::int64_t i = 0; i < s.rows * s.out; ++i) expected[static_cast<std::size_t>(i)] = chain(s, x, w, i / s.out, i % s.out);
    for (const GemmKernels* with : kernels()) {
      Floats whole(expected.size()), parts(expected.size());
      forward(*with, s, x, w, whole, 0, s.rows, 0, s.out);
      EXPECT_EQ(whole, expected) << s.rows << " x " << s.in << " x " << s.out;
      multiply(*with,
               {.rows = s.rows,
                .columns = s.out,
                .depth = s.in,
                .a = x.data(),
                .a_row = s.in,
                .a_depth = 1,
                .b = w.data(),
                .b_depth = s.out,
                .c = parts.data(),
                .c_row = s.out},
               false);
      EXPECT_EQ(parts, expected) << "panels, " << s.rows << " x " << s.in << " x " << s.out;
      for (std::int64_t row = 0; row < s.rows; row += 3) {
        for (std::int64_t column = 0; column < s.out; column += 13) {
          forward(*with, s, x, w, parts, row, std::min<std::int64_t>(3, s.rows - row), column, std::min<std::int64_t>(13, s.out - column));
        }
      }
      EXPECT_EQ(parts, expected) << "cut, " << s.rows << " x " << s.in << " x " << s.out;
    }
  }
}

TEST(Gemm, AddsBiasThenCutsNegativesAndKeepsNaN) {
  const Shape3 s{3, 2, 19};
  Floats x = normal(s.rows * s.in, 3), w = normal(s.in * s.out, 4), bias = normal(s.out, 5);
  x[2 * 2] = std::nanf("");  // the last row
  for (const GemmKernels* with : kernels()) {
    Floats y(static_cast<std::size_t>(s.rows * s.out));
    with->multiply({.rows = s.rows,
                    .columns = s.out,
                    .depth = s.in,
                    .a = x.data(),
                    .a_row = s.in,
                    .a_depth = 1,
                    .b = w.data(),
                    .b_depth = s.out,
                    .c = y.data(),
                    .c_row = s.out,
                    .bias = bias.data(),
                    .relu = true});
    for (std::int64_t i = 0; i < s.rows * s.out; ++i) {
      const float sum = chain(s, x, w, i / s.out, i % s.out) + bias[static_cast<std::size_t>(i % s.out)];
      const float found = y[static_cast<std::size_t>(i)];
      if (i / s.out == 2) {
        EXPECT_TRUE(std::isnan(found));
      } else {
        EXPECT_EQ(found, sum < 0 ? 0 : sum);
      }
    }
  }
}

TEST(Gemm, AddsTheTransposedProductTimesAFactor) {
  for (const Shape3& s : kShapes) {
    const Floats x = normal(s.rows * s.in, 6), d = normal(s.rows * s.out, 7), before = normal(s.in * s.out, 8);
    for (const GemmKernels* with : kernels()) {
      Floats w = before;
      with->multiply({.rows = s.in,
                      .columns = s.out,
                      .depth = s.rows,
                      .a = x.data(),
                      .a_row = 1,
                      .a_depth = s.in,
                      .b = d.data(),
                      .b_depth = s.out,
                      .c = w.data(),
                      .c_row = s.out,
                      .factor = -0.5F});
      for (std::int64_t i = 0; i < s.in * s.out; ++i) {
        float sum = 0;
        for (std::int64_t r = 0; r < s.rows; ++r) {
          sum = std::fma(x[static_cast<std::size_t>(r * s.in + i / s.out)], d[static_cast<std::size_t>(r * s.out + i % s.out)], sum);
        }
        ASSERT_EQ(w[static_cast<std::size_t>(i)], std::fma(-0.5F, sum, before[static_cast<std::size_t>(i)]));
      }
    }
  }
}

TEST(Gemm, MultipliesByTheTransposedKernelAlsoWhereItIsTakenInParts) {
  for (const Shape3& s : {Shape3{5, 7, 3}, Shape3{16, 61, 101}, Shape3{9, 50, 700}}) {
    const Floats d = normal(s.rows * s.out, 9), w = normal(s.in * s.out, 10);
    for (const GemmKernels* with : kernels()) {
      Floats dx(static_cast<std::size_t>(s.rows * s.in));
      multiply_transposed(*with, d.data(), w.data(), dx.data(), s.rows, s.in, s.out);
      for (std::int64_t i = 0; i < s.rows * s.in; ++i) {
        float sum = 0;
        for (std::int64_t k = 0; k < s.out; ++k) {
          sum = std::fma(d[static_cast<std::size_t>(i / s.in * s.out + k)], w[static_cast<std::size_t>(i % s.in * s.out + k)], sum);
        }
        ASSERT_EQ(dx[static_cast<std::size_t>(i)], sum);
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
