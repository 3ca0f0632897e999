#pragma once
#include <cstdint>
#include <memory>

#include "core/activations.h"

namespace lockstep {

// The only door to oneDNN. Everything here runs on the calling thread alone: a batch is spread over threads in whole grains, so that the
// same shapes run on one thread each whatever the number of threads or ranks.

/// y = f(x W + b) and dx = dy W^T for blocks of a fixed number of rows: x (rows, in), W (in, out), b (out), y (rows, out), row-major,
/// Keras' own layout (oneDNN's tag `io`; as fast as its blocked layouts and no reorder). Primitives are made once, here; threads that call
/// at the same time pass different numbers below `threads`.
class InnerProduct {
 public:
  /// `fused`: applied by the forward primitive itself; one of fusible(), or linear.
  InnerProduct(std::int64_t rows, std::int64_t in, std::int64_t out, bool bias, ActivationFunction fused, int threads);
  ~InnerProduct();
  InnerProduct(InnerProduct&&) noexcept;
  InnerProduct& operator=(InnerProduct&&) noexcept;

  void forward(const float* x, const float* weights, const float* bias, float* y, int thread) const;
  void backward_data(const float* dy, const float* weights, float* dx, int thread) const;

  static bool fusible(ActivationFunction function);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Columns [column, column + columns) of y = x W without bias: x (rows, in), W (in, out), y (rows, out).
void multiply_columns(const float* x, const float* weights, float* y, std::int64_t rows, std::int64_t in, std::int64_t out, std::int64_t column,
                      std::int64_t columns);

/// A part of dW = X^T D: X (rows, in), D (rows, out), dW (in, out), summed over rows in the GEMM's own order. The part is kernel rows
/// [first, last), columns [column, column + columns).
struct WeightGradient {
  const float* x;
  const float* d;
  std::int64_t rows, in, out, first, last, column, columns;

  /// dw = the part; `dw` points at its first element, its rows are `out` floats apart.
  void write(float* dw) const { run(1, 0, dw); }
  /// w += factor * the part: a step of plain SGD that never writes the gradient.
  void add(float factor, float* w) const { run(factor, 1, w); }

 private:
  void run(float alpha, float beta, float* target) const;
};

/// db[k] = sum over rows of D[r, k], in order of rows.
void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient);

/// oneDNN's version and the instruction set it will use, for the start-up table.
const char* onednn_version();
const char* onednn_isa();

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
