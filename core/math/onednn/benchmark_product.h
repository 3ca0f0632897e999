#pragma once
#include <cstdint>
#include <memory>

namespace lockstep {

/// y = f(x W + b) computed by oneDNN's inner products, on matrices of its own that hold small numbers. For benchmarks.
class OnednnInnerProduct {
 public:
  struct Shape {
    std::int64_t rows, in, out;
    bool bias, relu;  ///< both fused into the forward product
  };
  /// Without `trains`, forward() alone may be called.
  OnednnInnerProduct(const Shape& shape, bool trains);
  ~OnednnInnerProduct();
  OnednnInnerProduct(OnednnInnerProduct&&) noexcept;
  OnednnInnerProduct& operator=(OnednnInnerProduct&&) noexcept;

  void forward() const;
  void backward_weights() const;
  void backward_data() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace lockstep
