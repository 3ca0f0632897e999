#include "core/math/onednn/inner_product.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "core/math/onednn/api.h"
#include "core/math/onednn/library.h"
#include "core/math/onednn/trial.h"

namespace lockstep {
namespace {

using dnnl::memory;
using onednn::Call;
using onednn::Descriptions;

constexpr std::int64_t kRows = 16;  // of the calls that say what a row's bits are
constexpr std::int64_t kMost = 256;

/// The two products that are computed row by row. Both map rows of `from` floats to rows of `to` floats.
struct RowProduct {
  struct Size {
    std::int64_t rows;
    Call call;
  };
  std::int64_t from, to;
  std::vector<Size> sizes = {};     // the largest first, the last one kRows
  std::vector<Buffer> padded = {};  // of each thread: kRows rows in, kRows rows out
  std::int64_t tried = kRows;       // sizes up to this one were tried

  template <class Run>
  void run(const float* rows_in, float* rows_out, std::int64_t rows, int thread, const Run& run) {
    for (const auto& [size, call] : sizes) {
      for (; rows >= size; rows -= size, rows_in += size * from, rows_out += size * to) run(call, rows_in, rows_out);
    }
    if (rows == 0) return;
    float* const in = padded[static_cast<std::size_t>(thread)].data();
    float* const out = in + kRows * from;
    std::copy_n(rows_in, rows * from, in);
    std::fill(in + rows * from, out, 0.F);
    run(sizes.back().call, in, out);
    std::copy_n(out, rows * to, rows_out);
  }
};

}  // namespace

struct InnerProduct::Impl {
  explicit Impl(const Shape& of) : shape(of), forward{of.in, of.out}, backward{of.out, of.in} {
    forward.sizes.push_back({kRows, forward_call(kRows)});
    backward.sizes.push_back({kRows, backward_call(kRows)});
    for (RowProduct* const product : {&forward, &backward}) prepare(*product, 1);
    keeps_bits = keeps(forward) && keeps(backward);
  }

  Descriptions described(std::int64_t rows) const {
    using tag = memory::format_tag;
    constexpr auto kFloat = memory::data_type::f32;
    return {memory::desc({rows, shape.in}, kFloat, tag::nc), memory::desc({shape.out, shape.in}, kFloat, tag::io),
            shape.bias ? memory::desc({shape.out}, kFloat, tag::x) : memory::desc(), memory::desc({rows, shape.out}, kFloat, tag::nc)};
  }

  /// Without a relu at its end: oneDNN's makes 0 of NaN, which nobody would see.
  onednn::InnerProduct description(std::int64_t rows) const {
    return onednn::describe_forward(described(rows), dnnl::prop_kind::forward_training, onednn::attributes());
  }

  Call forward_call(std::int64_t rows) const {
    const auto f = description(rows);
    const Descriptions of = described(rows);
    std::vector<onednn::Argument> arguments = {
        {DNNL_ARG_SRC, of.x, of.x}, {DNNL_ARG_WEIGHTS, of.weights, of.weights}, {DNNL_ARG_DST, of.y, of.y, true}};
    if (shape.bias) arguments.push_back({DNNL_ARG_BIAS, of.bias, of.bias});
    return {dnnl::inner_product_forward(f), f.scratchpad_desc(), arguments};
  }

  Call backward_call(std::int64_t rows) const {
    const Descriptions of = described(rows);
    const auto d = onednn::describe_backward_data(of, description(rows));
    return {dnnl::inner_product_backward_data(d),
            d.scratchpad_desc(),
            {{DNNL_ARG_DIFF_DST, of.y, of.y}, {DNNL_ARG_WEIGHTS, of.weights, of.weights}, {DNNL_ARG_DIFF_SRC, of.x, of.x, true}}};
  }

  static void prepare(RowProduct& product, int threads) {
    for (auto& [rows, call] : product.sizes) call.prepare(threads);
    while (static_cast<int>(product.padded.size()) < threads) product.padded.emplace_back(kRows * (product.from + product.to));
  }

  void run(const RowProduct& product, const Call& call, const float* in, const float* weights, const float* bias, float* out,
           int thread) const {
    if (&product == &backward || !shape.bias) return call.run(thread, {in, weights, out});
    call.run(thread, {in, weights, out, bias});
  }

  /// What one call makes of `rows` rows.
  Buffer trial(const RowProduct& product, const Call& call, const Buffer& in, const Buffer& weights, std::int64_t rows) const {
    Buffer out(rows * product.to);
    run(product, call, in.data(), weights.data(), weights.data(), out.data(), 0);
    return out;
  }

  /// Whether a row has the same bits at another place.
  bool keeps(const RowProduct& product) const {
    constexpr std::int64_t kShift = 5;
    const Buffer weights = onednn::made_up(shape.in * shape.out, 1), rows = onednn::made_up(kRows * product.from, 2);
    Buffer shifted(kRows * product.from);
    std::copy_n(rows.data(), (kRows - kShift) * product.from, shifted.data() + kShift * product.from);
    const Call& call = product.sizes.back().call;
    const Buffer at_first = trial(product, call, rows, weights, kRows), at_shift = trial(product, call, shifted, weights, kRows);
    return std::memcmp(at_first.data(), at_shift.data() + kShift * product.to, bytes((kRows - kShift) * product.to)) == 0;
  }

  /// Adds larger calls that give rows the bits of calls of kRows rows.
  void add_sizes(RowProduct& product, std::int64_t most) {
    if (product.tried * 2 > std::min(most, kMost)) return;
    const Buffer weights = onednn::made_up(shape.in * shape.out, 1);
    for (std::int64_t size = product.tried * 2; size <= std::min(most, kMost); size *= 2) {
      product.tried = size;
      RowProduct::Size larger{size, &product == &forward ? forward_call(size) : backward_call(size)};
      larger.call.prepare(1);
      const Buffer rows = onednn::made_up(size * product.from, 3), out = trial(product, larger.call, rows, weights, size);
      Buffer expected(size * product.to);
      for (std::int64_t row = 0; row < size; row += kRows) {
        run(product, product.sizes.back().call, rows.data() + row * product.from, weights.data(), weights.data(),
            expected.data() + row * product.to, 0);
      }
      if (std::memcmp(out.data(), expected.data(), bytes(size * product.to)) == 0) {
        product.sizes.insert(product.sizes.begin(), std::move(larger));
      }
    }
  }

  static std::size_t bytes(std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }

  Shape shape;
  RowProduct forward, backward;
  bool keeps_bits = true;
};

InnerProduct::InnerProduct(const Shape& shape) {
  const ThreadScope one(1);
  impl_ = std::make_unique<Impl>(shape);
}
InnerProduct::~InnerProduct() = default;
InnerProduct::InnerProduct(InnerProduct&&) noexcept = default;
InnerProduct& InnerProduct::operator=(InnerProduct&&) noexcept = default;

bool InnerProduct::keeps_bits() const { return impl_->keeps_bits; }

void InnerProduct::prepare(std::int64_t rows, int threads) {
  const ThreadScope one(1);
  for (RowProduct* const product : {&impl_->forward, &impl_->backward}) {
    impl_->add_sizes(*product, rows);
    Impl::prepare(*product, threads);
  }
}

void InnerProduct::forward(const float* x, const float* weights, const float* bias, float* y, std::int64_t rows, int thread) const {
  impl_->forward.run(x, y, rows, thread, [&](const Call& call, const float* in, float* out) {
    impl_->run(impl_->forward, call, in, weights, bias, out, thread);
  });
}

void InnerProduct::backward_data(const float* dy, const float* weights, float* dx, std::int64_t rows, int thread) const {
  impl_->backward.run(dy, dx, rows, thread, [&](const Call& call, const float* in, float* out) {
    impl_->run(impl_->backward, call, in, weights, nullptr, out, thread);
  });
}

std::string InnerProduct::implementation() const {
  const ThreadScope one(1);
  return impl_->description(kRows).impl_info_str();
}

}  // namespace lockstep
