#include "core/math/gemm/gemm.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in the header above: GCC bug 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#include "core/math/gemm/tiles.h"

namespace lockstep {
namespace {

struct Avx512 {
  static constexpr std::int64_t kWidth = 16, kRows = 8;  // 24 sums, 3 vectors of B, one of A: 28 of 32 registers
  using Part = __mmask16;
  static Part part(std::int64_t floats) { return static_cast<Part>((1U << floats) - 1); }
  static Avx512 all(float x) { return {_mm512_set1_ps(x)}; }
  static Avx512 load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Avx512 load(const float* from, Part part) { return {_mm512_maskz_loadu_ps(part, from)}; }
  void store(float* to) const { _mm512_storeu_ps(to, v); }
  void store(float* to, Part part) const { _mm512_mask_storeu_ps(to, part, v); }
  static Avx512 fma(Avx512 a, Avx512 b, Avx512 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Avx512 add(Avx512 a, Avx512 b) { return {_mm512_add_ps(a.v, b.v)}; }
  static Avx512 positive(Avx512 a) { return {_mm512_max_ps(_mm512_setzero_ps(), a.v)}; }  // in this order NaN stays NaN

  /// Rows j, j + 4, j + 8, j + 12 side by side, then 4 x 4 turned in each quarter.
  static void transpose(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
    const auto quarters = [&](std::int64_t j) {
      __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(from + j * stride));
      x = _mm512_insertf32x4(x, _mm_loadu_ps(from + (j + 4) * stride), 1);
      x = _mm512_insertf32x4(x, _mm_loadu_ps(from + (j + 8) * stride), 2);
      return _mm512_insertf32x4(x, _mm_loadu_ps(from + (j + 12) * stride), 3);
    };
    const __m512 r0 = quarters(0), r1 = quarters(1), r2 = quarters(2), r3 = quarters(3);
    const __m512 low = _mm512_unpacklo_ps(r0, r1), high = _mm512_unpackhi_ps(r0, r1);
    const __m512 low2 = _mm512_unpacklo_ps(r2, r3), high2 = _mm512_unpackhi_ps(r2, r3);
    _mm512_storeu_ps(to, _mm512_shuffle_ps(low, low2, 0x44));
    _mm512_storeu_ps(to + to_stride, _mm512_shuffle_ps(low, low2, 0xEE));
    _mm512_storeu_ps(to + 2 * to_stride, _mm512_shuffle_ps(high, high2, 0x44));
    _mm512_storeu_ps(to + 3 * to_stride, _mm512_shuffle_ps(high, high2, 0xEE));
  }

  __m512 v;
};

}  // namespace

const GemmKernels kGemmAvx512{multiply<Avx512>, transpose<Avx512>};

}  // namespace lockstep
#else
namespace lockstep {
const GemmKernels kGemmAvx512 = kGemmPortable;
}
#endif
