#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

/// y = x W + b by oneDNN's inner products: x (rows, in), W (in, out) in Keras' layout, b (out), y (rows, out), row-major. A row has the
/// same bits whatever rows it is computed with: those that a call of 16 rows gives it. Calls of other sizes are made only where they were
/// seen to give the same; what is left over is padded. Several threads may use one object at the same time.
class InnerProduct {
 public:
  struct Shape {
    std::int64_t in, out;
    bool bias;
  };
  explicit InnerProduct(const Shape& shape);
  ~InnerProduct();
  InnerProduct(InnerProduct&&) noexcept;
  InnerProduct& operator=(InnerProduct&&) noexcept;

  /// Whether a row has the same bits at each place of a call of 16 rows, as far as a trial shows. Where it has not, this class keeps no
  /// promise.
  bool keeps_bits() const;
  /// Makes what calls of up to `rows` rows need, on threads 0 .. threads - 1.
  void prepare(std::int64_t rows, int threads);
  /// `bias` is null where the shape has none.
  void forward(const float* x, const float* weights, const float* bias, float* y, std::int64_t rows, int thread) const;
  /// dx from dL/d(x W + b).
  void backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, int thread) const;
  /// What oneDNN computes it by: "gemm:jit".
  std::string implementation() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
