#pragma once
#include <cstdint>
#include <memory>
#include <span>

namespace lockstep {

/// dW = X^T D by oneDNN's matmul, in pieces of rows of dW (in, out): X (rows, in), D (rows, out), row-major. Pieces start at multiples of
/// `step`. An element has the same bits whatever piece it is in: those that a piece of `step` rows gives it. Larger ones are computed at
/// once only where they were seen to give the same. Several threads may use one object at the same time.
class KernelGradient {
 public:
  KernelGradient(std::int64_t in, std::int64_t out, std::int64_t step);
  ~KernelGradient();
  KernelGradient(KernelGradient&&) noexcept;
  KernelGradient& operator=(KernelGradient&&) noexcept;

  /// Makes what pieces of these heights need, from `rows` rows of X and D, on threads 0 .. threads - 1: for write(), or with `adds` for
  /// add().
  void prepare(std::int64_t rows, std::span<const std::int64_t> heights, bool adds, int threads);
  /// to = rows [first, last) of dW.
  void write(const float* x, const float* d, std::int64_t rows, std::int64_t first, std::int64_t last, float* to, int thread) const;
  /// to += factor * rows [first, last) of dW: a step of plain SGD that never writes the gradient.
  void add(float factor, const float* x, const float* d, std::int64_t rows, std::int64_t first, std::int64_t last, float* to,
           int thread) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
