#include "core/math/onednn.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <string>

#include "cluster/clones.h"
#include "cluster/error.h"
#include "core/math/gemm.h"

namespace lockstep {
namespace {

void check(dnnl_status_t status) {
  if (status != dnnl_success) throw Error(std::string("oneDNN could not run sgemm: ") + std::to_string(static_cast<int>(status)));
}

const GemmKernels& kernels() {
  static const GemmKernels& best = [&]() -> const GemmKernels& {
    const auto allows = [isa = dnnl_get_effective_cpu_isa()](dnnl_cpu_isa_t needed) { return (isa & needed) == needed; };
    if (allows(dnnl_cpu_isa_avx512_core)) return gemm_kernels(VectorWidth::avx512);
    return gemm_kernels(allows(dnnl_cpu_isa_avx2) ? VectorWidth::avx2 : VectorWidth::portable);
  }();
  return best;
}

}  // namespace

bool small_kernel(std::int64_t in, std::int64_t out) {
  constexpr std::int64_t kFloats = 1 << 18;  // 1 MiB
  return in * out <= kFloats;
}

void dense_forward(const float* x, const float* weights, const float* bias, bool positive, float* y, std::int64_t rows, std::int64_t in,
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

void dense_backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, std::int64_t in, std::int64_t out) {
  multiply_transposed(kernels(), dy, weights, dx, rows, in, out);
}

void WeightGradient::run(float alpha, float beta, float* target) const {
  if (small_kernel(in, out)) return run_small(beta == 0 ? 0 : alpha, target);
  check(dnnl_sgemm('T', 'N', last - first, columns, rows, alpha, x + first, in, d + column, out, beta, target, out));
}

/// In parts of the rows, so that what a column of tiles reads stays in the cache.
void WeightGradient::run_small(float factor, float* target) const {
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
             true);
  }
}

LOCKSTEP_CLONES void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient) {
  for (std::int64_t k = 0; k < out; ++k) gradient[k] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < out; ++k) gradient[k] += d[r * out + k];
  }
}

const char* onednn_version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }();
  return text.c_str();
}

const char* onednn_isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41: return "SSE4.1";
    case dnnl_cpu_isa_avx: return "AVX";
    case dnnl_cpu_isa_avx2: return "AVX2";
    case dnnl_cpu_isa_avx512_mic:
    case dnnl_cpu_isa_avx512_mic_4ops: return "AVX512 (MIC)";
    case dnnl_cpu_isa_avx512_core: return "AVX512";
    case dnnl_cpu_isa_avx512_core_vnni: return "AVX512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16: return "AVX512 BF16";
    case dnnl_cpu_isa_avx512_core_amx: return "AVX512 AMX";
    case dnnl_cpu_isa_avx2_vnni: return "AVX2 VNNI";
    default: return "generic";
  }
}

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

}  // namespace lockstep
