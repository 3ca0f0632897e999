#include "core/layers/convolution/convolution_op.h"

#include <algorithm>
#include <string>
#include <vector>

#include "cluster/clones.h"
#include "core/layers/activation.h"
#include "core/layers/activity_regularizer.h"
#include "core/layers/fusion/relu.h"
#include "core/math/gemm/products.h"
#include "core/math/grain_tree.h"

namespace lockstep {
namespace {

LOCKSTEP_CLONES void add_bias(const float* bias, std::int64_t vectors, std::int64_t channels, float* y) {
  for (std::int64_t v = 0; v < vectors; ++v) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) y[v * channels + c] += bias[c];
  }
}

std::int64_t pixels(std::int64_t channels, std::int64_t height, std::int64_t width) { return channels * height * width; }

/// What a convolution and its transposed have in common.
class AnyConvolutionOp : public Op, public LeavesRelu, public TakesRelu {
 public:
  AnyConvolutionOp(const ConvolutionShape& shape, ConvolutionWeights weights, ActivationFunction activation)
      : shape_(shape), convolution_(shape), activation_(activation) {
    weights_.push_back(std::move(weights.kernel));
    if (weights.bias) weights_.push_back(std::move(*weights.bias));
  }

  bool row_count_invariant() const override { return false; }
  bool portable() const override { return false; }
  std::optional<ActivationFunction> activation() const override { return activation_; }
  bool ends_in_relu() const override { return activation_ == relu; }
  void leave_relu() override { activation_ = linear; }
  bool take_relu_behind() override {
    if (activation_ == linear) activation_ = relu;
    return activation_ == relu;
  }
  std::int64_t refreshes() const override { return 2; }
  const ConvolutionShape* convolution() const override { return &shape_; }

  Computation computation() const override {
    const auto [forward, data, weights] = convolution_.implementations();
    return {"oneDNN, " + forward + (weights == forward ? "" : " and " + weights), operations()};
  }

  void prepare(std::int64_t rows, int threads) override {
    convolution_.prepare(rows, threads);
    while (trainable() && static_cast<int>(grains_.size()) < threads) grains_.emplace_back(slice().count);
  }

  /// Sums do not depend on what else was prepared, such as a pass that validates.
  void prepare_gradient(std::int64_t rows, std::span<const std::int64_t> /*heights*/, bool /*adds*/, int /*threads*/) override {
    grain_rows_ = rows;
  }
  void gradient(const float* x, const float* dy, const Block& block, VariableRange /*part*/, float* to) const override {
    const std::int64_t rows = grain_rows_ > 0 ? grain_rows_ : convolution_.prepared(block.rows), count = slice().count - padding();
    write_gradient(x, dy, rows, block.thread, to);
    float* const grain = grains_[static_cast<std::size_t>(block.thread)].data();
    for (std::int64_t row = rows; row < block.rows; row += rows) {  // where ranks exchange gradients: all grains of a rank
      write_gradient(x + row * in, dy + row * out, rows, block.thread, grain);
      add_arrays(to, grain, to, count);
    }
  }

 protected:
  virtual void write_gradient(const float* x, const float* dy, std::int64_t rows, int thread, float* to) const = 0;

  /// A multiplication and an addition for each weight at each place where the kernel stands, for a row.
  double operations() const {
    return 2.0 * static_cast<double>(shape_.in / shape_.groups) * static_cast<double>(shape_.height.window * shape_.width.window) *
           static_cast<double>(pixels(shape_.out, shape_.height.out, shape_.width.out));
  }
  const float* kernel() const { return parameters() + weights_[0].offset; }
  const float* bias() const { return weights_.size() > 1 ? parameters() + weights_[1].offset : nullptr; }
  std::int64_t kernel_size() const { return elements(weights_[0].shape); }

  void apply_activation(float* y, const Block& block, std::int64_t channels) const {
    if (!block.logits && activation_ != linear) activate(activation_, y, y, block.rows * (out / channels), channels);
  }
  void to_delta(const float* y, float* dy, const Block& block, std::int64_t channels) const {
    if (block.logits || activation_ == linear) return;
    activation_gradient(activation_, nullptr, y, dy, dy, block.rows * (out / channels), channels);
  }

  /// "its forward pass by ref:any, ..." of (what, by) pairs: those by reference code.
  static std::string slow_of(const std::vector<std::pair<const char*, std::string>>& passes) {
    std::string text;
    for (const auto& [what, by] : passes) {
      if (by.find("ref") != std::string::npos) text += (text.empty() ? "" : ", ") + std::string(what) + " by " + by;
    }
    return text;
  }

  ConvolutionShape shape_;
  Convolution convolution_;
  ActivationFunction activation_;

 private:
  std::int64_t grain_rows_ = 0;         // of prepare_gradient()
  mutable std::vector<Buffer> grains_;  // of each thread: the gradient of a grain
};

class ConvolutionOp final : public AnyConvolutionOp {
 public:
  ConvolutionOp(const ConvolutionShape& shape, ConvolutionWeights weights, ActivationFunction activation)
      : AnyConvolutionOp(shape, std::move(weights), activation) {
    in = pixels(shape.in, shape.height.in, shape.width.in);
    out = pixels(shape.out, shape.height.out, shape.width.out);
  }

  std::string slow(bool input_gradient) const override {
    const auto [forward, data, weights] = convolution_.implementations();
    return slow_of({{"its forward pass", forward},
                    {"its input's gradient", input_gradient ? data : ""},
                    {"its kernel's gradient", trainable() ? weights : ""}});
  }
  std::int64_t activation_width() const override { return shape_.out; }
  void prepare(std::int64_t rows, int threads) override {
    AnyConvolutionOp::prepare(rows, threads);
    convolution_.refresh_forward(kernel());
  }
  void refresh(std::int64_t piece, bool backward) override {
    if (piece == 0) return convolution_.refresh_forward(kernel());
    if (backward) convolution_.refresh_backward_data(kernel());
  }
  void forward(const float* x, float* y, const Block& block) const override {
    convolution_.forward(x, bias(), y, block.rows, block.thread);
    apply_activation(y, block, shape_.out);
  }
  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    to_delta(y, dy, block, shape_.out);
    if (dx != nullptr) convolution_.backward_data(dy, dx, block.rows, block.thread);
  }

 private:
  void write_gradient(const float* x, const float* dy, std::int64_t rows, int thread, float* to) const override {
    convolution_.backward_weights(x, dy, to, bias() != nullptr ? to + kernel_size() : nullptr, rows, thread);
  }
};

class TransposedConvolutionOp final : public AnyConvolutionOp {
 public:
  TransposedConvolutionOp(const ConvolutionShape& shape, ConvolutionWeights weights, ActivationFunction activation)
      : AnyConvolutionOp(shape, std::move(weights), activation) {
    in = pixels(shape.out, shape.height.out, shape.width.out);
    out = pixels(shape.in, shape.height.in, shape.width.in);
  }

  std::string slow(bool input_gradient) const override {
    const auto [forward, data, weights] = convolution_.implementations();
    return slow_of({{"its forward pass", data},
                    {"its input's gradient", input_gradient ? forward : ""},
                    {"its kernel's gradient", trainable() ? weights : ""}});
  }
  std::int64_t activation_width() const override { return shape_.in; }
  void prepare(std::int64_t rows, int threads) override {
    AnyConvolutionOp::prepare(rows, threads);
    convolution_.refresh_backward_data(kernel());
  }
  void refresh(std::int64_t piece, bool backward) override {
    if (piece == 0) return convolution_.refresh_backward_data(kernel());
    if (backward) convolution_.refresh_forward(kernel());
  }
  void forward(const float* x, float* y, const Block& block) const override {
    convolution_.backward_data(x, y, block.rows, block.thread);
    if (bias() != nullptr) add_bias(bias(), block.rows * (out / shape_.in), shape_.in, y);
    apply_activation(y, block, shape_.in);
  }
  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    to_delta(y, dy, block, shape_.in);
    if (dx != nullptr) convolution_.forward(dy, nullptr, dx, block.rows, block.thread);
  }

 private:
  void write_gradient(const float* x, const float* dy, std::int64_t rows, int thread, float* to) const override {
    convolution_.backward_weights(dy, x, to, nullptr, rows, thread);
    if (bias() != nullptr) bias_gradient(dy, rows * (out / shape_.in), shape_.in, to + kernel_size());
  }
};

}  // namespace

std::unique_ptr<Op> convolution_op(ConvolutionShape shape, ConvolutionWeights weights, ActivationFunction activation) {
  shape.bias = weights.bias.has_value();
  return std::make_unique<ConvolutionOp>(shape, std::move(weights), activation);
}

std::unique_ptr<Op> transposed_convolution_op(ConvolutionShape shape, ConvolutionWeights weights, ActivationFunction activation) {
  return std::make_unique<TransposedConvolutionOp>(shape, std::move(weights), activation);
}

ActivationFunction fused(ActivationFunction wanted) { return derivative_from_output(wanted) ? wanted : linear; }

BuiltLayer convolution_layer(Shape output, std::unique_ptr<Op> op, ActivationFunction activation, const Regularizer& activity) {
  BuiltLayer built{.output = std::move(output)};
  built.ops.push_back(std::move(op));
  if (fused(activation) != activation) built.ops.push_back(std::move(build(Activation{activation}, {.input = built.output}).ops.front()));
  add_activity_regularizer(activity, built);
  return built;
}

}  // namespace lockstep
