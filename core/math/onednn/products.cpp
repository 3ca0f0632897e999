#include "core/math/onednn/products.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cluster/clones.h"
#include "core/math/gemm.h"
#include "core/math/onednn/api.h"

namespace lockstep {
namespace {

using dnnl::memory;
using onednn::check;
using onednn::engine;

VectorWidth vector_width() {
  const auto allows = [isa = dnnl_get_effective_cpu_isa()](dnnl_cpu_isa_t needed) { return (isa & needed) == needed; };
  if (allows(dnnl_cpu_isa_avx512_core)) return VectorWidth::avx512;
  return allows(dnnl_cpu_isa_avx2) ? VectorWidth::avx2 : VectorWidth::portable;
}

const GemmKernels& kernels() {
  static const GemmKernels& best = gemm_kernels(vector_width());
  return best;
}

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

bool small_kernel(std::int64_t in, std::int64_t out) {
  constexpr std::int64_t kFloats = 1 << 18;  // 1 MiB
  return in * out <= kFloats;
}

void product_forward(const float* x, const float* weights, const float* bias, bool positive, float* y, std::int64_t rows, std::int64_t in,
                     std::int64_t out, std::int64_t column, std::int64_t columns) {
  multiply(kernels(),
           {.rows = rows,
            .columns = columns,
            .depth = in,
            .a = x,
            .a_row = in,
            .a_depth = 1,
            .b = weights + column,
            .b_depth = out,
            .c = y + column,
            .c_row = out,
            .bias = bias != nullptr ? bias + column : nullptr,
            .relu = positive},
           small_kernel(in, out));
}

void product_backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, std::int64_t in, std::int64_t out) {
  multiply_transposed(kernels(), dy, weights, dx, rows, in, out);
}

void WeightGradient::run(float alpha, float beta, float* target) const {
  if (alpha == 0) return;  // a learning rate of 0; to run_small() it would mean to write
  if (small_kernel(in, out)) return run_small(beta == 0 ? 0 : alpha, target);
  check(dnnl_sgemm('T', 'N', last - first, columns, rows, alpha, x + first, in, d + column, out, beta, target, out), "sgemm");
}

/// In parts of the rows, so that what a column of tiles reads stays in the cache.
void WeightGradient::run_small(float factor, float* target) const {
  for (std::int64_t row = 0; row < rows; row += kGemmDepth) {
    multiply(kernels(),
             {.rows = last - first,
              .columns = columns,
              .depth = std::min(kGemmDepth, rows - row),
              .a = x + row * in + first,
              .a_row = 1,
              .a_depth = in,
              .b = d + row * out + column,
              .b_depth = out,
              .c = target,
              .c_row = out,
              .resume = factor == 0 && row > 0,
              .factor = factor},
             true);
  }
}

LOCKSTEP_CLONES void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient) {
  for (std::int64_t k = 0; k < out; ++k) gradient[k] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < out; ++k) gradient[k] += d[r * out + k];
  }
}

std::string product_kernels(std::int64_t in, std::int64_t out) {
  const VectorWidth width = vector_width();
  const std::string own = std::string("own kernels, ") + (width == VectorWidth::avx512 ? "AVX512"
                                                          : width == VectorWidth::avx2 ? "AVX2"
                                                                                       : "portable");
  return small_kernel(in, out) ? own : own + " (the kernel's gradient by oneDNN's sgemm)";
}

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
