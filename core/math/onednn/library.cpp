#include "core/math/onednn/library.h"

#include <omp.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "core/math/onednn/api.h"

namespace lockstep {

const char* onednn_version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }();
  return text.c_str();
}

const char* onednn_isa() {
  const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  const auto* const found =
      std::find_if(std::begin(onednn::kIsaNames), std::end(onednn::kIsaNames), [&](const auto& known) { return known.isa == isa; });
  return found == std::end(onednn::kIsaNames) ? "generic" : found->name;
}

VectorWidth onednn_vector_width() {
  const auto allows = [isa = dnnl_get_effective_cpu_isa()](dnnl_cpu_isa_t needed) { return (isa & needed) == needed; };
  if (allows(dnnl_cpu_isa_avx512_core)) return VectorWidth::avx512;
  return allows(dnnl_cpu_isa_avx2) ? VectorWidth::avx2 : VectorWidth::portable;
}

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

}  // namespace lockstep
