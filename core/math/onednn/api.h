#pragma once
#include <cstdint>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "cluster/buffer.h"

// oneDNN for the source files of this room, the only ones that may include this header: what differs between its versions 2 (Debian 12)
// and 3 (Debian 13), and primitives that several threads run at the same time.
namespace lockstep::onednn {

using dnnl::memory;

const dnnl::engine& engine();

/// An Error where oneDNN reports one.
void check(dnnl_status_t status, const char* what);

// --- what differs between versions ---

struct IsaName {
  dnnl_cpu_isa_t isa;
  const char* name;
};

#if DNNL_VERSION_MAJOR >= 3
constexpr IsaName kIsaNames[] = {{dnnl_cpu_isa_sse41, "SSE4.1"},
                                 {dnnl_cpu_isa_avx, "AVX"},
                                 {dnnl_cpu_isa_avx2, "AVX2"},
                                 {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
                                 {dnnl_cpu_isa_avx2_vnni_2, "AVX2 VNNI 2"},
                                 {dnnl_cpu_isa_avx512_core, "AVX512"},
                                 {dnnl_cpu_isa_avx512_core_vnni, "AVX512 VNNI"},
                                 {dnnl_cpu_isa_avx512_core_bf16, "AVX512 BF16"},
                                 {dnnl_cpu_isa_avx512_core_fp16, "AVX512 FP16"},
                                 {dnnl_cpu_isa_avx512_core_amx, "AVX512 AMX"},
                                 {dnnl_cpu_isa_avx512_core_amx_fp16, "AVX512 AMX FP16"}};
#else
constexpr IsaName kIsaNames[] = {{dnnl_cpu_isa_sse41, "SSE4.1"},
                                 {dnnl_cpu_isa_avx, "AVX"},
                                 {dnnl_cpu_isa_avx2, "AVX2"},
                                 {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
                                 {dnnl_cpu_isa_avx512_mic, "AVX512 (MIC)"},
                                 {dnnl_cpu_isa_avx512_mic_4ops, "AVX512 (MIC)"},
                                 {dnnl_cpu_isa_avx512_core, "AVX512"},
                                 {dnnl_cpu_isa_avx512_core_vnni, "AVX512 VNNI"},
                                 {dnnl_cpu_isa_avx512_core_bf16, "AVX512 BF16"},
                                 {dnnl_cpu_isa_avx512_core_amx, "AVX512 AMX"}};
#endif

/// Relu as the end of a primitive.
void append_relu(dnnl::post_ops& operations);

/// The same bits at every run, and scratch memory that the caller gives.
dnnl::primitive_attr attributes();

/// What a product or convolution reads and writes. Without a bias its description is empty.
struct Descriptions {
  memory::desc x, weights, bias, y;
};

/// Strides, dilation (0: none) and padding along the spatial axes.
struct Window {
  memory::dims strides, dilation, before, after;
};

using InnerProduct = dnnl::inner_product_forward::primitive_desc;
using InnerProductBackwardWeights = dnnl::inner_product_backward_weights::primitive_desc;
using InnerProductBackwardData = dnnl::inner_product_backward_data::primitive_desc;
InnerProduct describe_forward(const Descriptions& of, dnnl::prop_kind kind, const dnnl::primitive_attr& attributes);
InnerProductBackwardWeights describe_backward_weights(const Descriptions& of, const InnerProduct& forward);
InnerProductBackwardData describe_backward_data(const Descriptions& of, const InnerProduct& forward);

using Convolution = dnnl::convolution_forward::primitive_desc;
using ConvolutionBackwardWeights = dnnl::convolution_backward_weights::primitive_desc;
using ConvolutionBackwardData = dnnl::convolution_backward_data::primitive_desc;
Convolution describe_forward(const Descriptions& of, const Window& window, const dnnl::primitive_attr& attributes);
ConvolutionBackwardWeights describe_backward_weights(const Descriptions& of, const Window& window, const Convolution& forward);
ConvolutionBackwardData describe_backward_data(const Descriptions& of, const Window& window, const Convolution& forward);

using Matmul = dnnl::matmul::primitive_desc;
/// c = a b.
Matmul describe_matmul(const memory::desc& a, const memory::desc& b, const memory::desc& c, const dnnl::primitive_attr& attributes);

// --- primitives ---

/// An argument of a primitive: how it lies in the caller's memory, and how the primitive wants it.
struct Argument {
  int index;  ///< DNNL_ARG_SRC, ...
  memory::desc given, wanted;
  bool output = false;
};

/// A primitive that several threads run at the same time, each with memory of its own for scratch. Made and run with one OpenMP thread.
class ThreadedPrimitive {
 public:
  /// `scratchpad`: of its description, made with attributes().
  ThreadedPrimitive(const dnnl::primitive& primitive, const memory::desc& scratchpad, const std::vector<Argument>& arguments);
  /// For threads 0 .. threads - 1.
  void prepare(int threads);
  /// `values`: of the arguments, in order, as the primitive wants them.
  void run(int thread, const float* const* values) const;

 private:
  /// What a thread uses. The arguments are those of the C call: the C++ wrapper would make their list at every call.
  struct Lane {
    dnnl::stream stream;
    Buffer scratch;
    std::vector<memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
  };

  dnnl::primitive primitive_;
  memory::desc scratchpad_;
  std::vector<Argument> arguments_;
  mutable std::vector<Lane> lanes_;  // a thread has its own
};

/// A copy from one format to another.
ThreadedPrimitive reorder(const memory::desc& from, const memory::desc& to);

/// A primitive whose arguments are reordered where it wants them in another format than they are given in.
class Call {
 public:
  Call(const dnnl::primitive& primitive, const memory::desc& scratchpad, const std::vector<Argument>& arguments);
  void prepare(int threads);
  /// `values`: of the arguments, in order, as they are given.
  void run(int thread, std::initializer_list<const float*> values) const;

 private:
  struct Conversion {
    std::size_t argument;
    bool output;
    std::int64_t floats;
    ThreadedPrimitive reorder;
    std::vector<Buffer> values = {};  // of each thread, as the primitive wants them
  };

  ThreadedPrimitive primitive_;
  mutable std::vector<Conversion> conversions_;
};

}  // namespace lockstep::onednn
