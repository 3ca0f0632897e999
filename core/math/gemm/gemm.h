#pragma once
#include <cstdint>

namespace lockstep {

/// C = A B: A (rows, depth) with any strides, B (depth, columns) and C (rows, columns) with rows of
/// consecutive floats.
///
/// Every element is the chain fma(a_k, b_k, ...) over k = 0, 1, 2 ..., from zero, whatever is computed beside it. So its bits do not depend
/// on how rows and columns are shared among calls, threads and ranks, nor on the instruction set. oneDNN's depend on both.
struct Gemm {
  std::int64_t rows = 0, columns = 0, depth = 0;
  const float* a = nullptr;
  std::int64_t a_row = 0, a_depth = 0;  ///< floats from a_(r,k) to a_(r+1,k), to a_(r,k+1)
  const float* b = nullptr;
  std::int64_t b_depth = 0;  ///< floats from b_(k,c) to b_(k+1,c)
  float* c = nullptr;
  std::int64_t c_row = 0;

  bool resume = false;          ///< the chain starts from what C holds, instead of zero
  const float* bias = nullptr;  ///< (columns), added to the sum
  bool relu = false;            ///< negative results become 0
  float factor = 0;             ///< not 0: C = fma(factor, sum, C) instead of sum; without resume, bias and relu
};

/// Kernels for one instruction set.
struct GemmKernels {
  void (*multiply)(const Gemm& product);
  /// to[k * count + i] = from[i * stride + k] for i in [0, count), k in [0, depth).
  void (*transpose)(const float* from, std::int64_t stride, std::int64_t count, std::int64_t depth, float* to);
};
extern const GemmKernels kGemmPortable, kGemmAvx2, kGemmAvx512;  // on other processors than x86-64 all three are the portable ones

/// The widest that `isa` allows; AVX-512, AVX2 or none.
enum class VectorWidth { portable, avx2, avx512 };
const GemmKernels& gemm_kernels(VectorWidth width);

constexpr std::int64_t kGemmDepth = 256;  ///< of a panel; longer products had better be taken in parts

/// The product. `near`: what is read fits a core's second-level cache as it lies; else B is copied together, panel by panel, on the way.
void multiply(const GemmKernels& kernels, const Gemm& product, bool near);

/// c (rows, in) = d (rows, out) W^T with W (in, out).
void multiply_transposed(const GemmKernels& kernels, const float* d, const float* w, float* c, std::int64_t rows, std::int64_t in,
                         std::int64_t out);

}  // namespace lockstep
