#include "core/math/onednn/api.h"

#include <algorithm>
#include <array>
#include <string>

#include "cluster/error.h"
#include "core/math/onednn/library.h"

namespace lockstep::onednn {

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) {
    throw Error(std::string("oneDNN could not run ") + what + ": status " + std::to_string(static_cast<int>(status)));
  }
}

#if DNNL_VERSION_MAJOR >= 3

void append_relu(dnnl::post_ops& operations) { operations.append_eltwise(dnnl::algorithm::eltwise_relu, 0.F, 0.F); }

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MINOR >= 3
  result.set_deterministic(true);
#endif
  return result;
}

InnerProduct describe_forward(const Descriptions& of, dnnl::prop_kind kind, const dnnl::primitive_attr& attributes) {
  return {engine(), kind, of.x, of.weights, of.bias, of.y, attributes};
}

InnerProductBackwardWeights describe_backward_weights(const Descriptions& of, const InnerProduct& forward) {
  return {engine(), of.x, of.weights, of.bias, of.y, forward};
}

InnerProductBackwardData describe_backward_data(const Descriptions& of, const InnerProduct& forward) {
  return {engine(), of.x, of.weights, of.y, forward};
}

Convolution describe_forward(const Descriptions& of, const Window& w, const dnnl::primitive_attr& attributes) {
  return {engine(),
          dnnl::prop_kind::forward_training,
          dnnl::algorithm::convolution_direct,
          of.x,
          of.weights,
          of.bias,
          of.y,
          w.strides,
          w.dilation,
          w.before,
          w.after,
          attributes};
}

ConvolutionBackwardWeights describe_backward_weights(const Descriptions& of, const Window& w, const Convolution& forward) {
  return {
      engine(),    dnnl::algorithm::convolution_direct, of.x, of.weights, of.bias, of.y, w.strides, w.dilation, w.before, w.after, forward,
      attributes()};
}

ConvolutionBackwardData describe_backward_data(const Descriptions& of, const Window& w, const Convolution& forward) {
  return {engine(),    dnnl::algorithm::convolution_direct, of.x, of.weights, of.y, w.strides, w.dilation, w.before, w.after, forward,
          attributes()};
}

Matmul describe_matmul(const memory::desc& a, const memory::desc& b, const memory::desc& c, const dnnl::primitive_attr& attributes) {
  return {engine(), a, b, c, attributes};
}

#else

void append_relu(dnnl::post_ops& operations) { operations.append_eltwise(1.F, dnnl::algorithm::eltwise_relu, 0.F, 0.F); }

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return result;
}

InnerProduct describe_forward(const Descriptions& of, dnnl::prop_kind kind, const dnnl::primitive_attr& attributes) {
  return {{kind, of.x, of.weights, of.bias, of.y}, attributes, engine()};
}

InnerProductBackwardWeights describe_backward_weights(const Descriptions& of, const InnerProduct& forward) {
  return {{of.x, of.weights, of.bias, of.y}, engine(), forward};
}

InnerProductBackwardData describe_backward_data(const Descriptions& of, const InnerProduct& forward) {
  return {{of.x, of.weights, of.y}, engine(), forward};
}

Convolution describe_forward(const Descriptions& of, const Window& w, const dnnl::primitive_attr& attributes) {
  return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, of.x, of.weights, of.bias, of.y, w.strides, w.dilation,
           w.before, w.after},
          attributes,
          engine()};
}

ConvolutionBackwardWeights describe_backward_weights(const Descriptions& of, const Window& w, const Convolution& forward) {
  return {{dnnl::algorithm::convolution_direct, of.x, of.weights, of.bias, of.y, w.strides, w.dilation, w.before, w.after},
          attributes(),
          engine(),
          forward};
}

ConvolutionBackwardData describe_backward_data(const Descriptions& of, const Window& w, const Convolution& forward) {
  return {{dnnl::algorithm::convolution_direct, of.x, of.weights, of.y, w.strides, w.dilation, w.before, w.after},
          attributes(),
          engine(),
          forward};
}

Matmul describe_matmul(const memory::desc& a, const memory::desc& b, const memory::desc& c, const dnnl::primitive_attr& attributes) {
  return {{a, b, c}, attributes, engine()};
}

#endif

namespace {

std::int64_t floats(const memory::desc& description) {
  return static_cast<std::int64_t>((description.get_size() + sizeof(float) - 1) / sizeof(float));
}

/// The arguments as the primitive wants them.
std::vector<Argument> wanted(std::vector<Argument> arguments) {
  for (Argument& argument : arguments) argument.given = argument.wanted;
  return arguments;
}

}  // namespace

ThreadedPrimitive::ThreadedPrimitive(const dnnl::primitive& primitive, const memory::desc& scratchpad,
                                     const std::vector<Argument>& arguments)
    : primitive_(primitive), scratchpad_(scratchpad), arguments_(arguments) {}

void ThreadedPrimitive::prepare(int threads) {
  while (static_cast<int>(lanes_.size()) < threads) {
    Lane lane{dnnl::stream(engine()), Buffer(floats(scratchpad_)), {}, {}};
    for (const Argument& argument : arguments_) {
      lane.memories.push_back(memory(argument.wanted, engine(), DNNL_MEMORY_NONE));
      lane.arguments.push_back({argument.index, lane.memories.back().get()});
    }
    lane.memories.push_back(memory(scratchpad_, engine(), lane.scratch.data()));
    lane.arguments.push_back({DNNL_ARG_SCRATCHPAD, lane.memories.back().get()});
    lanes_.push_back(std::move(lane));
  }
}

/// A memory is told of values at another address only: oneDNN 2 then clears the padding of their format.
void ThreadedPrimitive::run(int thread, const float* const* values) const {
  const Lane& lane = lanes_[static_cast<std::size_t>(thread)];
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    void* at = nullptr;
    check(dnnl_memory_get_data_handle(lane.memories[i].get(), &at), "a primitive");
    if (at == values[i]) continue;
    check(dnnl_memory_set_data_handle(lane.memories[i].get(), const_cast<float*>(values[i])), "a primitive");  // NOLINT: of C
  }
  const ThreadScope one(1);
  check(dnnl_primitive_execute(primitive_.get(), lane.stream.get(), static_cast<int>(lane.arguments.size()), lane.arguments.data()),
        "a primitive");
}

ThreadedPrimitive reorder(const memory::desc& from, const memory::desc& to) {
  const ThreadScope one(1);
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, attributes());
  return {dnnl::reorder(description), description.scratchpad_desc(), {{DNNL_ARG_FROM, from, from}, {DNNL_ARG_TO, to, to, true}}};
}

Call::Call(const dnnl::primitive& primitive, const memory::desc& scratchpad, const std::vector<Argument>& arguments)
    : primitive_(primitive, scratchpad, wanted(arguments)) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    if (argument.given == argument.wanted) continue;
    conversions_.push_back({i, argument.output, floats(argument.wanted),
                            argument.output ? reorder(argument.wanted, argument.given) : reorder(argument.given, argument.wanted)});
  }
}

void Call::prepare(int threads) {
  primitive_.prepare(threads);
  for (Conversion& conversion : conversions_) {
    conversion.reorder.prepare(threads);
    while (static_cast<int>(conversion.values.size()) < threads) conversion.values.emplace_back(conversion.floats);
  }
}

void Call::run(int thread, std::initializer_list<const float*> values) const {
  std::array<const float*, 4> wanted{};
  std::copy(values.begin(), values.end(), wanted.begin());
  for (Conversion& conversion : conversions_) {
    float* const own = conversion.values[static_cast<std::size_t>(thread)].data();
    const std::array<const float*, 2> copied = {wanted[conversion.argument], own};
    wanted[conversion.argument] = own;
    if (!conversion.output) conversion.reorder.run(thread, copied.data());
  }
  primitive_.run(thread, wanted.data());
  for (const Conversion& conversion : conversions_) {
    if (!conversion.output) continue;
    const std::array<const float*, 2> copied = {wanted[conversion.argument], values.begin()[conversion.argument]};
    conversion.reorder.run(thread, copied.data());
  }
}

}  // namespace lockstep::onednn
