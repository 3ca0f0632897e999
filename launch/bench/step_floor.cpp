#include "launch/bench/step_floor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>

#include "core/math/onednn/benchmark_product.h"
#include "core/math/onednn/convolution.h"
#include "core/math/onednn/library.h"

namespace lockstep {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Median seconds of a call, of about `seconds` in all.
double time_of(const std::function<void()>& call, double seconds) {
  constexpr int kSamples = 5;
  call();
  double start = now();
  call();
  const double once = std::max(now() - start, 1e-9);
  const auto calls = static_cast<std::int64_t>(std::clamp(seconds / kSamples / once, 1.0, 1e6));
  std::array<double, kSamples> samples{};
  for (double& sample : samples) {
    start = now();
    for (std::int64_t i = 0; i < calls; ++i) call();
    sample = (now() - start) / static_cast<double>(calls);
  }
  std::sort(samples.begin(), samples.end());
  return samples[kSamples / 2];
}

/// A convolution and its gradients by oneDNN, on numbers of its own.
class ConvolutionFloor {
 public:
  ConvolutionFloor(const ConvolutionShape& shape, std::int64_t rows)
      : convolution_(shape),
        rows_(rows),
        x_(numbers(rows * shape.in * shape.height.in * shape.width.in)),
        y_(numbers(rows * shape.out * shape.height.out * shape.width.out)),
        d_x_(numbers(x_.size())),
        d_y_(numbers(y_.size())),
        kernel_(numbers(parameters(shape) - shape.out)),
        bias_(numbers(shape.out)),
        d_kernel_(numbers(kernel_.size())),
        d_bias_(numbers(shape.out)),
        has_bias_(shape.bias) {
    convolution_.prepare(rows, 1);
    convolution_.refresh_forward(kernel_.data());
    convolution_.refresh_backward_data(kernel_.data());
  }

  void forward() { convolution_.forward(x_.data(), has_bias_ ? bias_.data() : nullptr, y_.data(), rows_, 0); }
  void backward_data() { convolution_.backward_data(d_y_.data(), d_x_.data(), rows_, 0); }
  void backward_weights() {
    convolution_.backward_weights(x_.data(), d_y_.data(), d_kernel_.data(), has_bias_ ? d_bias_.data() : nullptr, rows_, 0);
  }
  /// Of the kernel and a bias.
  static std::int64_t parameters(const ConvolutionShape& shape) {
    return (shape.in / shape.groups * shape.height.window * shape.width.window + 1) * shape.out;
  }

 private:
  static Buffer numbers(std::int64_t count) {
    Buffer values(count);
    for (std::int64_t i = 0; i < count; ++i) values.data()[i] = static_cast<float>(i % 7) * 0.1F - 0.3F;  // none is subnormal
    return values;
  }

  Convolution convolution_;
  std::int64_t rows_;
  Buffer x_, y_, d_x_, d_y_, kernel_, bias_, d_kernel_, d_bias_;
  bool has_bias_;
};

}  // namespace

struct StepFloor::Impl {
  struct Part {
    std::function<void()> run;
    double StepFloorTimes::*time;
  };

  std::int64_t rows = 0;
  std::vector<OnednnInnerProduct> layers;
  std::vector<std::unique_ptr<ConvolutionFloor>> convolutions;
  std::vector<Part> parts;
  std::optional<Optimizer> optimizer;
  Buffer parameters, gradients;
};

StepFloor::StepFloor(const std::vector<LayerProduct>& layers, std::int64_t rows, const OptimizerSpec* optimizer)
    : impl_(std::make_unique<Impl>()) {
  const ThreadScope one(1);
  impl_->rows = rows;
  impl_->layers.reserve(layers.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerProduct& layer = layers[i];
    const bool trains = optimizer != nullptr;
    if (layer.convolution) {
      ConvolutionFloor* const convolution =
          impl_->convolutions.emplace_back(std::make_unique<ConvolutionFloor>(*layer.convolution, rows)).get();
      impl_->parts.push_back({[convolution] { convolution->forward(); }, &StepFloorTimes::forward});
      if (trains) impl_->parts.push_back({[convolution] { convolution->backward_weights(); }, &StepFloorTimes::backward_weights});
      if (trains && i > 0) impl_->parts.push_back({[convolution] { convolution->backward_data(); }, &StepFloorTimes::backward_data});
      count += ConvolutionFloor::parameters(*layer.convolution);
      continue;
    }
    const OnednnInnerProduct& product = impl_->layers.emplace_back(
        OnednnInnerProduct::Shape{rows * layer.repeat, layer.in, layer.out, layer.bias, layer.activation == relu}, trains);
    impl_->parts.push_back({[&product] { product.forward(); }, &StepFloorTimes::forward});
    if (trains) impl_->parts.push_back({[&product] { product.backward_weights(); }, &StepFloorTimes::backward_weights});
    if (trains && i > 0) impl_->parts.push_back({[&product] { product.backward_data(); }, &StepFloorTimes::backward_data});
    count += (layer.in + (layer.bias ? 1 : 0)) * layer.out;
  }
  if (optimizer == nullptr) return;
  impl_->parameters = Buffer(count);
  impl_->gradients = Buffer(count);
  for (std::int64_t i = 0; i < count; ++i) impl_->parameters.data()[i] = static_cast<float>(i % 7) * 0.1F - 0.3F;  // none is subnormal
  std::fill_n(impl_->gradients.data(), count, 1e-6F);
  impl_->optimizer.emplace(*optimizer, count, std::vector<OptimizerVariable>{{0, count}});
}

StepFloor::~StepFloor() = default;
StepFloor::StepFloor(StepFloor&&) noexcept = default;
StepFloor& StepFloor::operator=(StepFloor&&) noexcept = default;

std::int64_t StepFloor::rows() const { return impl_->rows; }

StepFloorTimes StepFloor::measure(double seconds) {
  const ThreadScope one(1);
  Impl& impl = *impl_;
  StepFloorTimes times;
  const double share = seconds / static_cast<double>(impl.parts.size() + (impl.optimizer ? 1 : 0));
  for (const Impl::Part& part : impl.parts) times.*part.time += time_of(part.run, share);
  if (impl.optimizer) times.optimizer = time_of([&] { impl.optimizer->step(impl.parameters.span(), impl.gradients.span()); }, share);
  return times;
}

}  // namespace lockstep
