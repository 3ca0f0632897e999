#include "core/math/gemm/products.h"

#include <algorithm>
#include <string>

#include "cluster/clones.h"
#include "core/math/gemm/gemm.h"
#include "core/math/onednn/library.h"

namespace lockstep {
namespace {

const GemmKernels& kernels() {
  static const GemmKernels& best = gemm_kernels(onednn_vector_width());
  return best;
}

}  // namespace

bool small_kernel(std::int64_t in, std::int64_t out) {
  constexpr std::int64_t kFloats = 1 << 18;  // 1 MiB
  return in * out <= kFloats;
}

void product_forward(const float* x, const float* weights, const float* bias, bool positive, float* y, std::int64_t rows, std::int64_t in,
                     std::int64_t out, std::int64_t column, std::int64_t columns) {
  multiply(kernels(),
           {.rows = rows,
            .columns = columns,
            .depth = in,
            .a = x,
            .a_row = in,
            .a_depth = 1,
            .b = weights + column,
            .b_depth = out,
            .c = y + column,
            .c_row = out,
            .bias = bias != nullptr ? bias + column : nullptr,
            .relu = positive},
           small_kernel(in, out));
}

void product_backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, std::int64_t in, std::int64_t out) {
  multiply_transposed(kernels(), dy, weights, dx, rows, in, out);
}

/// In parts of the rows, so that what a column of tiles reads stays in the cache.
void WeightGradient::run(float factor, float* target) const {
  for (std::int64_t row = 0; row < rows; row += kGemmDepth) {
    multiply(kernels(),
             {.rows = last - first,
              .columns = columns,
              .depth = std::min(kGemmDepth, rows - row),
              .a = x + row * in + first,
              .a_row = 1,
              .a_depth = in,
              .b = d + row * out + column,
              .b_depth = out,
              .c = target,
              .c_row = out,
              .resume = factor == 0 && row > 0,
              .factor = factor},
             small_kernel(in, out));
  }
}

LOCKSTEP_CLONES void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient) {
  for (std::int64_t k = 0; k < out; ++k) gradient[k] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < out; ++k) gradient[k] += d[r * out + k];
  }
}

std::string product_kernels() {
  switch (onednn_vector_width()) {
    case VectorWidth::avx512: return "own kernels, AVX512";
    case VectorWidth::avx2: return "own kernels, AVX2";
    case VectorWidth::portable: break;
  }
  return "own kernels, portable";
}

}  // namespace lockstep
