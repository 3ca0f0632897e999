#pragma once
#include "core/math/gemm/gemm.h"

namespace lockstep {

/// oneDNN's version and the instruction set it will use, for the start-up table.
const char* onednn_version();
const char* onednn_isa();
/// The widest kernels of gemm.h that oneDNN's switch of instruction sets, DNNL_MAX_CPU_ISA, allows.
VectorWidth onednn_vector_width();

/// Sets the number of OpenMP threads of the calling thread's parallel regions for a scope. oneDNN must see the same number when a primitive
/// is made and when it runs.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace lockstep
