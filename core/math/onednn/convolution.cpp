#include "core/math/onednn/convolution.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "cluster/error.h"
#include "core/math/onednn/api.h"
#include "core/math/onednn/library.h"

namespace lockstep {
namespace {

using dnnl::memory;
using onednn::Argument;
using onednn::Call;
using onednn::Descriptions;

constexpr auto kFloat = memory::data_type::f32;

onednn::Window window_of(const ConvolutionShape& shape) {
  const WindowAxis &h = shape.height, &w = shape.width;
  return {{h.stride, w.stride}, {h.dilation - 1, w.dilation - 1}, {h.before, w.before}, {h.after, w.after}};
}

memory::desc activations(std::int64_t rows, std::int64_t channels, std::int64_t height, std::int64_t width, memory::format_tag tag) {
  return {{rows, channels, height, width}, kFloat, tag};
}

/// Dimensions of the kernel, and their strides in Keras' layout.
struct Kernel {
  memory::dims dims, strides;
};

Kernel kernel_of(const ConvolutionShape& shape) {
  const std::int64_t in = shape.in / shape.groups, out = shape.out / shape.groups, h = shape.height.window, w = shape.width.window;
  const std::int64_t along_in = shape.out, along_w = along_in * in, along_h = along_w * w;
  if (shape.groups == 1) return {{out, in, h, w}, {1, along_in, along_h, along_w}};
  return {{shape.groups, out, in, h, w}, {out, 1, along_in, along_h, along_w}};
}

/// Formats of x and y that a primitive is asked for: Keras' own (channels last; with one channel the same bytes have another name, for
/// which oneDNN may have another implementation), and at last whatever it likes, which costs copies.
struct Formats {
  memory::format_tag x, y;
};

std::vector<Formats> formats_of(const ConvolutionShape& shape) {
  using tag = memory::format_tag;
  std::vector<Formats> formats = {{tag::nhwc, tag::nhwc}};
  if (shape.in == 1) formats.push_back({tag::nchw, tag::nhwc});
  if (shape.out == 1) formats.push_back({tag::nhwc, tag::nchw});
  if (shape.in == 1 && shape.out == 1) formats.push_back({tag::nchw, tag::nchw});
  formats.push_back({tag::any, tag::any});
  return formats;
}

/// Reference code, which is about a hundred times slower.
bool is_reference(const std::string& implementation) { return implementation.find("ref") != std::string::npos; }

/// Code of oneDNN 2.6 that writes beyond its scratch memory: gradients of 1x1 kernels that step over channels-last pixels, without AVX-512.
bool is_wrong(const std::string& implementation, const ConvolutionShape& shape, const Formats& formats) {
  const bool steps = shape.height.stride > 1 || shape.width.stride > 1;
  return implementation == "jit_1x1:avx2" && steps && formats.x != memory::format_tag::any;
}

/// The description in the first formats for which oneDNN has more than reference code; else the first that it has at all.
template <class Describe>
auto choose(const ConvolutionShape& shape, const char* what, const Describe& describe) {
  std::optional<decltype(describe(Formats{}))> found;
  for (const Formats& formats : formats_of(shape)) {
    try {
      auto description = describe(formats);
      const std::string implementation = description.impl_info_str();
      if (is_wrong(implementation, shape, formats)) continue;
      if (!is_reference(implementation)) return description;
      if (!found) found = std::move(description);
    } catch (const dnnl::error&) {  // it has none for these formats
    }
  }
  if (!found) throw Error(std::string("oneDNN cannot compute ") + what + " of this shape");
  return *found;
}

/// A kernel in the format of a primitive.
struct KernelCopy {
  memory::desc format;
  onednn::ThreadedPrimitive reorder;
  Buffer values;
};

/// What oneDNN would compute the three passes by.
struct Description {
  onednn::Convolution forward;
  onednn::ConvolutionBackwardData backward_data;
  onednn::ConvolutionBackwardWeights backward_weights;
};

/// Primitives for blocks of one number of rows.
struct Plan {
  std::int64_t rows;
  Call forward, backward_data, backward_weights;
  std::size_t forward_copy, backward_copy;  // of the kernel
};

}  // namespace

struct Convolution::Impl {
  explicit Impl(const ConvolutionShape& of) : shape(of), kernel(kernel_of(of)), given(kernel.dims, kFloat, kernel.strides) {}

  Descriptions described(std::int64_t rows, const Formats& formats) const;
  Description describe(std::int64_t rows) const;
  Plan make_plan(std::int64_t rows);
  const Plan& plan_of(std::int64_t rows) const;
  std::size_t copy_in(const memory::desc& format, std::vector<KernelCopy>& copies) const;
  static void refresh(const float* from, std::vector<KernelCopy>& copies);

  ConvolutionShape shape;
  Kernel kernel;
  memory::desc given;                              // the kernel as Keras lays it
  std::vector<KernelCopy> forward, backward_data;  // kernels in all formats that plans ask for
  std::vector<Plan> plans;
};

Descriptions Convolution::Impl::described(std::int64_t rows, const Formats& formats) const {
  return {activations(rows, shape.in, shape.height.in, shape.width.in, formats.x),
          memory::desc(kernel.dims, kFloat, memory::format_tag::any),
          shape.bias ? memory::desc({shape.out}, kFloat, memory::format_tag::x) : memory::desc(),
          activations(rows, shape.out, shape.height.out, shape.width.out, formats.y)};
}

std::size_t Convolution::Impl::copy_in(const memory::desc& format, std::vector<KernelCopy>& copies) const {
  const auto found = std::find_if(copies.begin(), copies.end(), [&](const KernelCopy& copy) { return copy.format == format; });
  if (found != copies.end()) return static_cast<std::size_t>(found - copies.begin());
  copies.push_back({format, onednn::reorder(given, format), Buffer(static_cast<std::int64_t>(format.get_size() / sizeof(float)))});
  copies.back().reorder.prepare(1);
  return copies.size() - 1;
}

void Convolution::Impl::refresh(const float* from, std::vector<KernelCopy>& copies) {
  for (KernelCopy& copy : copies) {
    const float* const values[] = {from, copy.values.data()};
    copy.reorder.run(0, values);
  }
}

Description Convolution::Impl::describe(std::int64_t rows) const {
  const onednn::Window window = window_of(shape);
  // Without a relu at its end: oneDNN's makes 0 of NaN, which nobody would see.
  const auto forward_of = [&](const Formats& formats) {
    return onednn::describe_forward(described(rows, formats), window, onednn::attributes());
  };
  const auto data = [&](const Formats& formats) {
    return onednn::describe_backward_data(described(rows, formats), window, forward_of(formats));
  };
  const auto weights = [&](const Formats& formats) {
    return onednn::describe_backward_weights(described(rows, formats), window, forward_of(formats));
  };
  return {choose(shape, "a convolution", forward_of), choose(shape, "the gradient of a convolution's input", data),
          choose(shape, "the gradient of a convolution's kernel", weights)};
}

Plan Convolution::Impl::make_plan(std::int64_t rows) {
  const auto [f, d, w] = describe(rows);
  const Descriptions plain = described(rows, formats_of(shape).front());  // how the caller's memory lies
  std::vector<Argument> forward_arguments = {{DNNL_ARG_SRC, plain.x, f.src_desc()},
                                             {DNNL_ARG_WEIGHTS, f.weights_desc(), f.weights_desc()},
                                             {DNNL_ARG_DST, plain.y, f.dst_desc(), true}};
  std::vector<Argument> weights_arguments = {{DNNL_ARG_SRC, plain.x, w.src_desc()},
                                             {DNNL_ARG_DIFF_DST, plain.y, w.diff_dst_desc()},
                                             {DNNL_ARG_DIFF_WEIGHTS, given, w.diff_weights_desc(), true}};
  if (shape.bias) {
    forward_arguments.push_back({DNNL_ARG_BIAS, plain.bias, plain.bias});
    weights_arguments.push_back({DNNL_ARG_DIFF_BIAS, plain.bias, plain.bias, true});
  }
  return {rows,
          Call(dnnl::convolution_forward(f), f.scratchpad_desc(), forward_arguments),
          Call(dnnl::convolution_backward_data(d), d.scratchpad_desc(),
               {{DNNL_ARG_DIFF_DST, plain.y, d.diff_dst_desc()},
                {DNNL_ARG_WEIGHTS, d.weights_desc(), d.weights_desc()},
                {DNNL_ARG_DIFF_SRC, plain.x, d.diff_src_desc(), true}}),
          Call(dnnl::convolution_backward_weights(w), w.scratchpad_desc(), weights_arguments),
          copy_in(f.weights_desc(), forward),
          copy_in(d.weights_desc(), backward_data)};
}

const Plan& Convolution::Impl::plan_of(std::int64_t rows) const {
  return *std::find_if(plans.begin(), plans.end(), [&](const Plan& plan) { return plan.rows == rows; });
}

Convolution::Convolution(const ConvolutionShape& shape) : impl_(std::make_unique<Impl>(shape)) {}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;
Convolution& Convolution::operator=(Convolution&&) noexcept = default;

void Convolution::prepare(std::int64_t rows, int threads) {
  const ThreadScope one(1);
  if (prepared(rows) != rows) impl_->plans.push_back(impl_->make_plan(rows));
  for (Plan& plan : impl_->plans) {
    for (Call* const call : {&plan.forward, &plan.backward_data, &plan.backward_weights}) call->prepare(threads);
  }
}

void Convolution::refresh_forward(const float* kernel) { Impl::refresh(kernel, impl_->forward); }
void Convolution::refresh_backward_data(const float* kernel) { Impl::refresh(kernel, impl_->backward_data); }

void Convolution::forward(const float* x, const float* bias, float* y, std::int64_t rows, int thread) const {
  const Plan& plan = impl_->plan_of(rows);
  const float* const kernel = impl_->forward[plan.forward_copy].values.data();
  if (bias == nullptr) return plan.forward.run(thread, {x, kernel, y});
  plan.forward.run(thread, {x, kernel, y, bias});
}

void Convolution::backward_data(const float* dy, float* dx, std::int64_t rows, int thread) const {
  const Plan& plan = impl_->plan_of(rows);
  plan.backward_data.run(thread, {dy, impl_->backward_data[plan.backward_copy].values.data(), dx});
}

void Convolution::backward_weights(const float* x, const float* dy, float* kernel_gradient, float* bias_gradient, std::int64_t rows,
                                   int thread) const {
  const Plan& plan = impl_->plan_of(rows);
  if (bias_gradient == nullptr) return plan.backward_weights.run(thread, {x, dy, kernel_gradient});
  plan.backward_weights.run(thread, {x, dy, kernel_gradient, bias_gradient});
}

std::int64_t Convolution::prepared(std::int64_t rows) const {
  std::int64_t most = 0;
  for (const Plan& plan : impl_->plans) {
    if (rows % plan.rows == 0) most = std::max(most, plan.rows);
  }
  return most;
}

Convolution::Implementations Convolution::implementations() const {
  const ThreadScope one(1);
  const auto [f, d, w] = impl_->describe(impl_->plans.empty() ? 8 : impl_->plans.front().rows);
  return {f.impl_info_str(), d.impl_info_str(), w.impl_info_str()};
}

}  // namespace lockstep
