#include "core/math/gemm/gemm.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma GCC target("avx2,fma")
#include "core/math/gemm/tiles.h"

namespace lockstep {
namespace {

struct Avx2 {
  static constexpr std::int64_t kWidth = 8, kRows = 4;  // 12 sums, 3 vectors of B, one of A: all 16 registers
  struct Part {
    __m256i lanes;
  };
  static Part part(std::int64_t floats) {
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(floats)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))};
  }
  static Avx2 all(float x) { return {_mm256_set1_ps(x)}; }
  static Avx2 load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Avx2 load(const float* from, const Part& part) { return {_mm256_maskload_ps(from, part.lanes)}; }
  void store(float* to) const { _mm256_storeu_ps(to, v); }
  void store(float* to, const Part& part) const { _mm256_maskstore_ps(to, part.lanes, v); }
  static Avx2 fma(Avx2 a, Avx2 b, Avx2 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Avx2 add(Avx2 a, Avx2 b) { return {_mm256_add_ps(a.v, b.v)}; }
  static Avx2 positive(Avx2 a) { return {_mm256_max_ps(_mm256_setzero_ps(), a.v)}; }  // in this order NaN stays NaN

  /// Rows j and j + 4 side by side, then 4 x 4 turned in each half.
  static void transpose(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
    const auto halves = [&](std::int64_t j) {
      return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + j * stride)), _mm_loadu_ps(from + (j + 4) * stride), 1);
    };
    const __m256 r0 = halves(0), r1 = halves(1), r2 = halves(2), r3 = halves(3);
    const __m256 low = _mm256_unpacklo_ps(r0, r1), high = _mm256_unpackhi_ps(r0, r1);
    const __m256 low2 = _mm256_unpacklo_ps(r2, r3), high2 = _mm256_unpackhi_ps(r2, r3);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(low, low2, 0x44));
    _mm256_storeu_ps(to + to_stride, _mm256_shuffle_ps(low, low2, 0xEE));
    _mm256_storeu_ps(to + 2 * to_stride, _mm256_shuffle_ps(high, high2, 0x44));
    _mm256_storeu_ps(to + 3 * to_stride, _mm256_shuffle_ps(high, high2, 0xEE));
  }

  __m256 v;
};

}  // namespace

const GemmKernels kGemmAvx2{multiply<Avx2>, transpose<Avx2>};

}  // namespace lockstep
#else
namespace lockstep {
const GemmKernels kGemmAvx2 = kGemmPortable;
}
#endif
