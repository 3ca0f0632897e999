#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/layers/dense.h"
#include "core/layers/op.h"

namespace lockstep {

/// Dense, keras/src/layers/core/dense.py: y = f(x W + b) over the last axis. What does not depend on the type of its products.
class DenseOp : public Op {
 public:
  DenseOp(const Dense& layer, const Shape& input, ActivationFunction activation);

  void place(float* const* base, std::int64_t offset) override;
  const Product* product() const override { return &product_; }
  std::vector<VariableRange> parts() const override;
  void gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const override;
  std::optional<ActivationFunction> activation() const override { return activation_; }
  std::int64_t activation_width() const override { return product_.out; }

 protected:
  static constexpr std::int64_t kPartMultiple = 8;

  /// dy = dL/d(pre-activation) from dy = dL/dy.
  void to_delta(const float* y, float* dy, const Block& block) const;
  /// Rows of the kernel in each of parts(), but the last.
  std::int64_t part_rows() const;
  /// A multiplication and an addition for each weight of the kernel, for a row.
  double product_operations() const { return 2.0 * static_cast<double>(product_.in * product_.out * product_.repeat); }
  const float* kernel() const { return parameters() + product_.kernel; }
  const float* bias() const { return product_.bias >= 0 ? parameters() + product_.bias : nullptr; }

  Product product_;
  ActivationFunction activation_;
  std::int64_t part_multiple_ = kPartMultiple;  // rows of the kernel in one of parts(), or a multiple of them
};

/// `op` with other products.
std::unique_ptr<Op> dense_op(const DenseOp& op, Products products);
/// By oneDNN's primitives; null where oneDNN gives a row other bits at another place of a block, and for kernels so large that a trial
/// would take too much memory.
std::unique_ptr<Op> onednn_dense_op(const DenseOp& op);
/// By the kernels of core/math/bfloat16.h.
std::unique_ptr<Op> bfloat16_dense_op(const DenseOp& op);

}  // namespace lockstep
