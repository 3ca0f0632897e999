#include "core/ops.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/buffer.h"
#include "cluster/clones.h"

namespace lockstep {
namespace {

using dnnl::memory;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

const dnnl::stream& in_order() {
  static const dnnl::stream stream(cpu());
  return stream;
}

memory::desc matrix(std::int64_t rows, std::int64_t columns, memory::format_tag tag) {
  return {{rows, columns}, memory::data_type::f32, tag};
}

dnnl::primitive_attr attributes(ActivationFunction fused) {
  dnnl::primitive_attr attributes;
  // The library's own scratchpad belongs to the thread that made the primitive; ours is handed over with every call.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops post;
  switch (fused) {
    case ActivationFunction::relu: post.append_eltwise(1.F, dnnl::algorithm::eltwise_relu, 0.F, 0.F); break;
    case ActivationFunction::leaky_relu: post.append_eltwise(1.F, dnnl::algorithm::eltwise_relu, 0.2F, 0.F); break;
    case ActivationFunction::tanh: post.append_eltwise(1.F, dnnl::algorithm::eltwise_tanh, 0.F, 0.F); break;
    case ActivationFunction::elu: post.append_eltwise(1.F, dnnl::algorithm::eltwise_elu, 1.F, 0.F); break;
    default: break;
  }
  attributes.set_post_ops(post);
  return attributes;
}

/// The memory objects of one call; their handles are set anew each time, so each thread has its own.
struct Arguments {
  memory x, weights, bias, y, forward_scratch, backward_scratch;
};

void* handle(const float* values) { return const_cast<float*>(values); }  // oneDNN's memory objects know no const

void execute(const dnnl::primitive& primitive, std::initializer_list<dnnl_exec_arg_t> arguments) {
  // The C call: the C++ wrapper builds a map and a vector on every execution.
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive.get(), in_order().get(), static_cast<int>(arguments.size()), arguments.begin());
  if (status != dnnl_success) throw Error(std::string("oneDNN could not run a primitive: ") + std::to_string(static_cast<int>(status)));
}

void check(dnnl_status_t status) {
  if (status != dnnl_success) throw Error(std::string("oneDNN could not run sgemm: ") + std::to_string(static_cast<int>(status)));
}

void point(memory& object, const float* values) { dnnl_memory_set_data_handle(object.get(), handle(values)); }

}  // namespace

struct InnerProduct::Impl {
  dnnl::inner_product_forward forward;
  dnnl::inner_product_backward_data backward_data;
  mutable std::vector<Arguments> arguments;  // one per thread
};

InnerProduct::InnerProduct(std::int64_t rows, std::int64_t in, std::int64_t out, bool bias, ActivationFunction fused, int threads)
    : impl_(std::make_unique<Impl>()) {
  const ThreadScope one(1);
  const memory::desc x = matrix(rows, in, memory::format_tag::nc), y = matrix(rows, out, memory::format_tag::nc);
  const memory::desc weights = matrix(out, in, memory::format_tag::io), b({out}, memory::data_type::f32, memory::format_tag::x);
  const dnnl::inner_product_forward::desc forward =
      bias ? dnnl::inner_product_forward::desc(dnnl::prop_kind::forward_training, x, weights, b, y)
           : dnnl::inner_product_forward::desc(dnnl::prop_kind::forward_training, x, weights, y);
  const dnnl::inner_product_forward::primitive_desc forward_pd(forward, attributes(fused), cpu());
  const dnnl::inner_product_forward::primitive_desc hint(forward, cpu());
  const dnnl::inner_product_backward_data::primitive_desc backward_pd({x, weights, y}, attributes(ActivationFunction::linear), cpu(), hint);
  impl_->forward = dnnl::inner_product_forward(forward_pd);
  impl_->backward_data = dnnl::inner_product_backward_data(backward_pd);
  for (int t = 0; t < threads; ++t) {
    impl_->arguments.push_back({memory(x, cpu(), DNNL_MEMORY_NONE), memory(weights, cpu(), DNNL_MEMORY_NONE),
                                bias ? memory(b, cpu(), DNNL_MEMORY_NONE) : memory(), memory(y, cpu(), DNNL_MEMORY_NONE),
                                memory(forward_pd.scratchpad_desc(), cpu()), memory(backward_pd.scratchpad_desc(), cpu())});
  }
}

InnerProduct::~InnerProduct() = default;
InnerProduct::InnerProduct(InnerProduct&&) noexcept = default;
InnerProduct& InnerProduct::operator=(InnerProduct&&) noexcept = default;

bool InnerProduct::fusible(ActivationFunction function) {
  return function == relu || function == leaky_relu || function == tanh_ || function == elu;
}

void InnerProduct::forward(const float* x, const float* weights, const float* bias, float* y, int thread) const {
  Arguments& a = impl_->arguments[static_cast<std::size_t>(thread)];
  point(a.x, x);
  point(a.weights, weights);
  point(a.y, y);
  if (bias == nullptr) {
    execute(impl_->forward, {{DNNL_ARG_SRC, a.x.get()},
                             {DNNL_ARG_WEIGHTS, a.weights.get()},
                             {DNNL_ARG_DST, a.y.get()},
                             {DNNL_ARG_SCRATCHPAD, a.forward_scratch.get()}});
    return;
  }
  point(a.bias, bias);
  execute(impl_->forward, {{DNNL_ARG_SRC, a.x.get()},
                           {DNNL_ARG_WEIGHTS, a.weights.get()},
                           {DNNL_ARG_BIAS, a.bias.get()},
                           {DNNL_ARG_DST, a.y.get()},
                           {DNNL_ARG_SCRATCHPAD, a.forward_scratch.get()}});
}

void InnerProduct::backward_data(const float* dy, const float* weights, float* dx, int thread) const {
  Arguments& a = impl_->arguments[static_cast<std::size_t>(thread)];
  point(a.x, dx);
  point(a.weights, weights);
  point(a.y, dy);
  execute(impl_->backward_data, {{DNNL_ARG_DIFF_DST, a.y.get()},
                                 {DNNL_ARG_WEIGHTS, a.weights.get()},
                                 {DNNL_ARG_DIFF_SRC, a.x.get()},
                                 {DNNL_ARG_SCRATCHPAD, a.backward_scratch.get()}});
}

void multiply_columns(const float* x, const float* weights, float* y, std::int64_t rows, std::int64_t in, std::int64_t out, std::int64_t column,
                      std::int64_t columns) {
  check(dnnl_sgemm('N', 'N', rows, columns, in, 1.F, x, in, weights + column, out, 0.F, y + column, out));
}

void WeightGradient::run(float alpha, float beta, float* target) const {
  check(dnnl_sgemm('T', 'N', last - first, columns, rows, alpha, x + first, in, d + column, out, beta, target, out));
}

LOCKSTEP_CLONES void bias_gradient(const float* d, std::int64_t rows, std::int64_t out, float* gradient) {
  for (std::int64_t k = 0; k < out; ++k) gradient[k] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < out; ++k) gradient[k] += d[r * out + k];
  }
}

const char* onednn_version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }();
  return text.c_str();
}

const char* onednn_isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41: return "SSE4.1";
    case dnnl_cpu_isa_avx: return "AVX";
    case dnnl_cpu_isa_avx2: return "AVX2";
    case dnnl_cpu_isa_avx512_mic:
    case dnnl_cpu_isa_avx512_mic_4ops: return "AVX512 (MIC)";
    case dnnl_cpu_isa_avx512_core: return "AVX512";
    case dnnl_cpu_isa_avx512_core_vnni: return "AVX512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16: return "AVX512 BF16";
    case dnnl_cpu_isa_avx512_core_amx: return "AVX512 AMX";
    case dnnl_cpu_isa_avx2_vnni: return "AVX2 VNNI";
    default: return "generic";
  }
}

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

}  // namespace lockstep
