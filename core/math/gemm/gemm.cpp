#include "core/math/gemm/gemm.h"

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kColumns = 48, kDepth = kGemmDepth;  // of B in a panel that is copied together: 48 KiB

void copy_rows(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns, float* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from + r * stride, columns, to + r * to_stride);
}

/// Panel by panel, B copied together.
void multiply_panels(const GemmKernels& kernels, Gemm p) {
  alignas(64) float panel[kColumns * kDepth];
  const Gemm whole = p;
  p.b = panel;
  p.b_depth = kColumns;
  for (std::int64_t column = 0; column < whole.columns; column += kColumns) {
    p.columns = std::min(kColumns, whole.columns - column);
    p.c = whole.c + column;
    for (std::int64_t k = 0; k < whole.depth; k += kDepth) {
      p.depth = std::min(kDepth, whole.depth - k);
      const bool last = k + p.depth == whole.depth;
      copy_rows(whole.b + k * whole.b_depth + column, whole.b_depth, p.depth, p.columns, panel, kColumns);
      p.a = whole.a + k * whole.a_depth;
      p.resume = whole.resume || k > 0;
      p.bias = last && whole.bias != nullptr ? whole.bias + column : nullptr;
      p.relu = last && whole.relu;
      kernels.multiply(p);
    }
  }
}

}  // namespace

const GemmKernels& gemm_kernels(VectorWidth width) {
  return width == VectorWidth::avx512 ? kGemmAvx512 : width == VectorWidth::avx2 ? kGemmAvx2 : kGemmPortable;
}

void multiply(const GemmKernels& kernels, const Gemm& product, bool near) {
  near ? kernels.multiply(product) : multiply_panels(kernels, product);
}

void multiply_transposed(const GemmKernels& kernels, const float* d, const float* w, float* c, std::int64_t rows, std::int64_t in,
                         std::int64_t out) {
  alignas(64) float panel[kColumns * kDepth];  // of W^T
  for (std::int64_t first = 0; first < in; first += kColumns) {
    const std::int64_t columns = std::min(kColumns, in - first);
    for (std::int64_t k = 0; k < out; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, out - k);
      kernels.transpose(w + first * out + k, out, columns, depth, panel);
      kernels.multiply({.rows = rows,
                        .columns = columns,
                        .depth = depth,
                        .a = d + k,
                        .a_row = out,
                        .a_depth = 1,
                        .b = panel,
                        .b_depth = columns,
                        .c = c + first,
                        .c_row = in,
                        .resume = k > 0});
    }
  }
}

}  // namespace lockstep
