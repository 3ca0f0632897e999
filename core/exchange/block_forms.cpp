#include "core/exchange/block_forms.h"

#include <algorithm>

#include "core/math/gemm/products.h"

namespace lockstep {
namespace {

void write_bias(const BlockSource& source, const Product& product) {
  bias_gradient(source.d, source.rows * product.repeat, product.out, source.gradients + product.bias);
}

/// Of a rank that has nothing to add.
class ZeroForm final : public BlockForm {
 public:
  explicit ZeroForm(float* gradients) : gradients_(gradients) {}
  void form(const GradientBlock& block, int /*thread*/) const override { std::fill_n(gradients_ + block.offset, block.count, 0.F); }

 private:
  float* gradients_;
};

class WrittenForm final : public BlockForm {
 public:
  explicit WrittenForm(const BlockSource& source) : source_(source) {}
  void form(const GradientBlock& block, int thread) const override {
    source_.op->gradient(source_.x, source_.d, {.rows = source_.rows, .thread = thread}, {block.offset, block.count},
                         source_.gradients + block.offset);
  }

 private:
  BlockSource source_;
};

class Bfloat16Form final : public BlockForm {
 public:
  Bfloat16Form(const BlockSource& source, const Bfloat16Factors& factors)
      : source_(source), product_(*source.op->product()), factors_(factors) {}
  void form(const GradientBlock& block, int /*thread*/) const override {
    factors_.form(block, 1, false, source_.gradients + block.offset);
    if (block.bias) write_bias(source_, product_);
  }

 private:
  BlockSource source_;
  Product product_;
  const Bfloat16Factors& factors_;
};

class TreeForm final : public BlockForm {
 public:
  TreeForm(float* gradients, TreeGradients& trees) : gradients_(gradients), trees_(trees) {}
  void form(const GradientBlock& block, int thread) const override { trees_.combine(block, gradients_, thread); }

 private:
  float* gradients_;
  TreeGradients& trees_;
};

class InPlaceForm : public BlockForm {
 public:
  InPlaceForm(const BlockSource& source, const Optimizer& optimizer, float* parameters)
      : source_(source), product_(*source.op->product()), optimizer_(optimizer), parameters_(parameters) {}

  void form(const GradientBlock& block, int thread) const override {
    if (block.first < block.last) add(block, -optimizer_.learning_rate(), parameters_ + block.offset, thread);  // else the bias alone
    if (block.bias) write_bias(source_, product_);
  }
  VariableRange left(const GradientBlock& block) const override {
    return block.bias ? VariableRange{product_.bias, product_.out} : VariableRange{block.offset, 0};
  }

 protected:
  virtual void add(const GradientBlock& block, float factor, float* kernel, int thread) const {
    const KernelPart part{block.first, block.last, block.column, block.columns > 0 ? block.columns : product_.out};
    source_.op->add_kernel_gradient(source_.x, source_.d, {.rows = source_.rows, .thread = thread}, part, factor, kernel);
  }

 private:
  BlockSource source_;
  Product product_;
  const Optimizer& optimizer_;
  float* parameters_;
};

class Bfloat16InPlaceForm final : public InPlaceForm {
 public:
  Bfloat16InPlaceForm(const BlockSource& source, const Bfloat16Factors& factors, const Optimizer& optimizer, float* parameters)
      : InPlaceForm(source, optimizer, parameters), factors_(factors) {}

 private:
  void add(const GradientBlock& block, float factor, float* kernel, int /*thread*/) const override {
    factors_.form(block, factor, true, kernel);
  }

  const Bfloat16Factors& factors_;
};

class AddedForm final : public BlockForm {
 public:
  AddedForm(const BlockSource& source, const Optimizer& optimizer, float* parameters)
      : source_(source), optimizer_(optimizer), parameters_(parameters) {}
  void form(const GradientBlock& block, int thread) const override {
    source_.op->add_gradient(source_.x, source_.d, {.rows = source_.rows, .thread = thread}, {block.offset, block.count},
                             -optimizer_.learning_rate(), parameters_ + block.offset);
  }
  VariableRange left(const GradientBlock& block) const override { return {block.offset, 0}; }

 private:
  BlockSource source_;
  const Optimizer& optimizer_;
  float* parameters_;
};

}  // namespace

std::unique_ptr<BlockForm> make_written_form(const BlockSource& source) {
  if (source.rows == 0) return std::make_unique<ZeroForm>(source.gradients);
  return std::make_unique<WrittenForm>(source);
}

std::unique_ptr<BlockForm> make_sums_form(const BlockSource& source, bool whole) {
  if (!whole) return std::make_unique<ZeroForm>(source.gradients);
  return std::make_unique<WrittenForm>(source);
}

std::unique_ptr<BlockForm> make_bfloat16_form(const BlockSource& source, const Bfloat16Factors& factors) {
  if (source.rows == 0) return std::make_unique<ZeroForm>(source.gradients);
  return std::make_unique<Bfloat16Form>(source, factors);
}

std::unique_ptr<BlockForm> make_tree_form(const BlockSource& source, TreeGradients& trees) {
  return std::make_unique<TreeForm>(source.gradients, trees);
}

std::unique_ptr<BlockForm> make_added_form(const BlockSource& source, const Optimizer& optimizer, float* parameters) {
  return std::make_unique<AddedForm>(source, optimizer, parameters);
}

std::unique_ptr<BlockForm> make_in_place_form(const BlockSource& source, const Bfloat16Factors* factors, const Optimizer& optimizer,
                                              float* parameters) {
  if (factors != nullptr) return std::make_unique<Bfloat16InPlaceForm>(source, *factors, optimizer, parameters);
  return std::make_unique<InPlaceForm>(source, optimizer, parameters);
}

}  // namespace lockstep
