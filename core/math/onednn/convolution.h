#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/math/window.h"

namespace lockstep {

/// A convolution (cross-correlation) by oneDNN: x (rows, height, width, in), y (rows, height, width, out), and the kernel in Keras' layout
/// (height, width, in / groups, out). Primitives keep the kernel in formats of their own, which refresh_ makes anew from it. Those of one
/// object run on several threads at the same time. What oneDNN cannot compute is an Error.
class Convolution {
 public:
  explicit Convolution(const ConvolutionShape& shape);
  ~Convolution();
  Convolution(Convolution&&) noexcept;
  Convolution& operator=(Convolution&&) noexcept;

  /// Makes the primitives for blocks of `rows` rows, on threads 0 .. threads - 1. Those for other sizes stay.
  void prepare(std::int64_t rows, int threads);
  void refresh_forward(const float* kernel);
  void refresh_backward_data(const float* kernel);

  /// `rows`: of a prepare(). `bias` is null where the shape has none.
  void forward(const float* x, const float* bias, float* y, std::int64_t rows, int thread) const;
  /// dx from dL/d(x * W).
  void backward_data(const float* dy, float* dx, std::int64_t rows, int thread) const;
  void backward_weights(const float* x, const float* dy, float* kernel_gradient, float* bias_gradient, std::int64_t rows, int thread) const;
  /// The largest number of rows of a prepare() that divides `rows`; 0: none does.
  std::int64_t prepared(std::int64_t rows) const;

  /// What oneDNN computes each pass by: "jit:avx512_core". Also before prepare().
  struct Implementations {
    std::string forward, backward_data, backward_weights;
  };
  Implementations implementations() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
