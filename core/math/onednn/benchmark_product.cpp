#include "core/math/onednn/benchmark_product.h"

#include <utility>
#include <vector>

#include "core/math/onednn/api.h"

namespace lockstep {
namespace {

using dnnl::memory;
using onednn::check;
using onednn::engine;

/// Small numbers of both signs, none of them subnormal.
memory matrix(const memory::dims& dims, memory::format_tag tag) {
  memory result({dims, memory::data_type::f32, tag}, engine());
  auto* const values = static_cast<float*>(result.get_data_handle());
  const auto count = static_cast<std::int64_t>(result.get_desc().get_size() / sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 7) * 0.1F - 0.3F;
  return result;
}

using Arguments = std::vector<std::pair<int, memory>>;

/// A primitive and its arguments. They are passed by the C call: the C++ wrapper would make their list at every call.
class Call {
 public:
  Call(const char* name, dnnl::primitive primitive, const Arguments& arguments) : name_(name), primitive_(std::move(primitive)) {
    for (const auto& [index, object] : arguments) {
      if (object.get(true) != nullptr) arguments_.push_back({index, object.get()});
    }
  }

  void run(const dnnl::stream& stream) const {
    check(dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(arguments_.size()), arguments_.data()), name_);
  }

 private:
  const char* name_;
  dnnl::primitive primitive_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

}  // namespace

struct OnednnInnerProduct::Impl {
  Impl(const Shape& shape, bool trains);

  dnnl::stream stream{engine()};
  memory x, weights, bias, y, d_x, d_weights, d_bias;
  std::vector<Call> calls;  ///< forward; to train also backward weights and backward data
};

OnednnInnerProduct::Impl::Impl(const Shape& shape, bool trains) {
  const auto [rows, in, out, with_bias, relu] = shape;
  x = matrix({rows, in}, memory::format_tag::nc);
  weights = matrix({out, in}, memory::format_tag::io);
  if (with_bias) bias = matrix({out}, memory::format_tag::x);
  y = matrix({rows, out}, memory::format_tag::nc);
  const onednn::Descriptions of{x.get_desc(), weights.get_desc(), with_bias ? bias.get_desc() : memory::desc(), y.get_desc()};
  dnnl::post_ops after;
  if (relu) onednn::append_relu(after);
  dnnl::primitive_attr fused;
  fused.set_post_ops(after);
  const auto kind = trains ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  calls.emplace_back("an inner product", dnnl::inner_product_forward(onednn::describe_forward(of, kind, fused)),
                     Arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
  if (!trains) return;
  const onednn::InnerProduct hint = onednn::describe_forward(of, kind, {});
  d_weights = matrix({out, in}, memory::format_tag::io);
  if (with_bias) d_bias = matrix({out}, memory::format_tag::x);
  calls.emplace_back(
      "an inner product's gradient", dnnl::inner_product_backward_weights(onednn::describe_backward_weights(of, hint)),
      Arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_DIFF_WEIGHTS, d_weights}, {DNNL_ARG_DIFF_BIAS, d_bias}});
  d_x = matrix({rows, in}, memory::format_tag::nc);
  calls.emplace_back("an inner product's backward data", dnnl::inner_product_backward_data(onednn::describe_backward_data(of, hint)),
                     Arguments{{DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, d_x}});
}

OnednnInnerProduct::OnednnInnerProduct(const Shape& shape, bool trains) : impl_(std::make_unique<const Impl>(shape, trains)) {}
OnednnInnerProduct::~OnednnInnerProduct() = default;
OnednnInnerProduct::OnednnInnerProduct(OnednnInnerProduct&&) noexcept = default;
OnednnInnerProduct& OnednnInnerProduct::operator=(OnednnInnerProduct&&) noexcept = default;

void OnednnInnerProduct::forward() const { impl_->calls[0].run(impl_->stream); }
void OnednnInnerProduct::backward_weights() const { impl_->calls[1].run(impl_->stream); }
void OnednnInnerProduct::backward_data() const { impl_->calls[2].run(impl_->stream); }

}  // namespace lockstep
