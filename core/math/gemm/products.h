#pragma once
#include <cstdint>
#include <string>

namespace lockstep {

// A Dense layer's products of float32 matrices by the kernels of gemm.h, the widest that the processor has. The same bits on every
// processor. Everything here runs on the calling thread alone: a batch is spread over threads in rows, a gradient in blocks.

/// Whether a kernel (in, out) fits a core's second-level cache.
bool small_kernel(std::int64_t in, std::int64_t out);

/// Columns [column, column + columns) of y = x W + b, negative results 0 with `positive`: x (rows, in), W (in, out), Keras' own layout, b
/// (out) or null, y (rows, out), row-major. The same bits however rows and columns are cut into calls.
void product_forward(const float* x, const float* weights, const float* bias, bool positive, float* y, std::int64_t rows, std::int64_t in,
                     std::int64_t out, std::int64_t column, std::int64_t columns);
/// dx = dy W^T: dx (rows, in), dy (rows, out). The same bits however rows are cut.
void product_backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, std::int64_t in, std::int64_t out);

/// A part of dW = X^T D: X (rows, in), D (rows, out), dW (in, out), summed over rows in their order. The part is kernel rows [first, last),
/// columns [column, column + columns). The same bits however the part is cut.
struct WeightGradient {
  const float* x;
  const float* d;
  std::int64_t rows, in, out, first, last, column, columns;

  /// dw = the part; `dw` points at its first element, its rows are `out` floats apart.
  void write(float* dw) const { run(0, dw); }
  /// w += factor * the part: a step of plain SGD that never writes the gradient.
  void add(float factor, float* w) const {
    if (factor != 0) run(factor, w);
  }

 private:
  void run(float factor, float* target) const;
};

/// db[k] = sum over rows of D[r, k], in order of rows.
void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient);

/// Names the kernels for people: "own kernels, AVX512".
std::string product_kernels();

}  // namespace lockstep
