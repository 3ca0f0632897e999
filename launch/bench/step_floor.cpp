#include "launch/bench/step_floor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <unordered_map>

#include "cluster/error.h"
#include "core/math/onednn.h"

namespace lockstep {
namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Small numbers of both signs, none of them subnormal.
void fill(float* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 7) * 0.1F - 0.3F;
}

memory matrix(const memory::dims& dims, memory::format_tag tag, const dnnl::engine& engine) {
  const memory result({dims, memory::data_type::f32, tag}, engine);
  fill(static_cast<float*>(result.get_data_handle()), static_cast<std::int64_t>(result.get_desc().get_size() / sizeof(float)));
  return result;
}

dnnl::primitive_attr fused(ActivationFunction function) {
  dnnl::primitive_attr attributes;
  dnnl::post_ops post;
  if (function == relu) post.append_eltwise(1.F, dnnl::algorithm::eltwise_relu, 0.F, 0.F);
  attributes.set_post_ops(post);
  return attributes;
}

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

}  // namespace

struct StepFloor::Impl {
  struct Part {
    dnnl::primitive primitive;
    Arguments arguments;
    double StepFloorTimes::*time;
  };
  double time_of_part(const Part& part, double seconds) const;

  void add(const FloorLayer& layer, bool trains, bool first);

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::int64_t rows = 0;
  std::vector<Part> parts;
  std::optional<Optimizer> optimizer;
  Buffer parameters, gradients;
};

void StepFloor::Impl::add(const FloorLayer& layer, bool trains, bool first) {
  const std::int64_t vectors = rows * layer.repeat;
  const memory x = matrix({vectors, layer.in}, memory::format_tag::nc, engine),
               y = matrix({vectors, layer.out}, memory::format_tag::nc, engine);
  const memory weights = matrix({layer.out, layer.in}, memory::format_tag::io, engine);
  const memory bias = layer.bias ? matrix({layer.out}, memory::format_tag::x, engine) : memory();
  const memory::desc b = layer.bias ? bias.get_desc() : memory::desc();
  const auto kind = trains ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const dnnl::inner_product_forward::desc forward(kind, x.get_desc(), weights.get_desc(), b, y.get_desc());
  parts.push_back({dnnl::inner_product_forward({forward, fused(layer.activation), engine}),
                   {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}},
                   &StepFloorTimes::forward});
  if (!trains) return;
  const dnnl::inner_product_forward::primitive_desc hint(forward, engine);
  const memory d_weights = matrix({layer.out, layer.in}, memory::format_tag::io, engine);
  const memory d_bias = layer.bias ? matrix({layer.out}, memory::format_tag::x, engine) : memory();
  parts.push_back({dnnl::inner_product_backward_weights({{x.get_desc(), weights.get_desc(), b, y.get_desc()}, engine, hint}),
                   {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_DIFF_WEIGHTS, d_weights}, {DNNL_ARG_DIFF_BIAS, d_bias}},
                   &StepFloorTimes::backward_weights});
  if (first) return;
  const memory d_x = matrix({vectors, layer.in}, memory::format_tag::nc, engine);
  parts.push_back({dnnl::inner_product_backward_data({{x.get_desc(), weights.get_desc(), y.get_desc()}, engine, hint}),
                   {{DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, d_x}},
                   &StepFloorTimes::backward_data});
}

double StepFloor::Impl::time_of_part(const Part& part, double seconds) const {
  std::vector<dnnl_exec_arg_t> arguments;  // the C call: the C++ wrapper would make this list every time
  for (const auto& [index, object] : part.arguments) {
    if (object.get(true) != nullptr) arguments.push_back({index, object.get()});
  }
  const auto call = [&] {
    const dnnl_status_t status =
        dnnl_primitive_execute(part.primitive.get(), stream.get(), static_cast<int>(arguments.size()), arguments.data());
    if (status != dnnl_success) throw Error("oneDNN could not run a primitive: " + std::to_string(static_cast<int>(status)));
  };
  return time_of(call, seconds);
}

StepFloor::StepFloor(const std::vector<FloorLayer>& layers, std::int64_t rows, const OptimizerSpec* optimizer)
    : impl_(std::make_unique<Impl>()) {
  const ThreadScope one(1);
  impl_->rows = rows;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    impl_->add(layers[i], optimizer != nullptr, i == 0);
    count += (layers[i].in + (layers[i].bias ? 1 : 0)) * layers[i].out;
  }
  if (optimizer == nullptr) return;
  impl_->parameters = Buffer(count);
  impl_->gradients = Buffer(count);
  fill(impl_->parameters.data(), count);
  std::fill_n(impl_->gradients.data(), count, 1e-6F);
  impl_->optimizer.emplace(*optimizer, count, std::vector<VariableRange>{{0, count}});
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
  for (const Impl::Part& part : impl.parts) times.*part.time += impl.time_of_part(part, share);
  if (impl.optimizer) times.optimizer = time_of([&] { impl.optimizer->step(impl.parameters.span(), impl.gradients.span()); }, share);
  return times;
}

}  // namespace lockstep
