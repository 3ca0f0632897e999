#include "core/math/onednn/kernel_gradient.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/math/onednn/api.h"
#include "core/math/onednn/library.h"
#include "core/math/onednn/trial.h"

namespace lockstep {
namespace {

using dnnl::memory;
using onednn::Call;

/// A call for pieces of `height` rows of dW.
struct Piece {
  std::int64_t rows, height;
  bool adds;
  Call call;
};

}  // namespace

struct KernelGradient::Impl {
  Piece make_piece(std::int64_t rows, std::int64_t height, bool adds) const {
    constexpr auto kFloat = memory::data_type::f32;
    const memory::desc x({height, rows}, kFloat, memory::dims{1, in}), d({rows, out}, kFloat, memory::dims{out, 1}),
        piece({height, out}, kFloat, memory::dims{out, 1});
    dnnl::primitive_attr attributes = onednn::attributes();
    if (adds) {
      dnnl::post_ops after;
      after.append_sum(1.F);
      attributes.set_post_ops(after);
    }
    const onednn::Matmul product = onednn::describe_matmul(x, d, piece, attributes);
    return {rows, height, adds,
            Call(dnnl::matmul(product), product.scratchpad_desc(),
                 {{DNNL_ARG_SRC, x, x}, {DNNL_ARG_WEIGHTS, d, d}, {DNNL_ARG_DST, piece, piece, true}})};
  }

  const Piece* find(std::int64_t rows, std::int64_t height, bool adds) const {
    const auto found = std::find_if(pieces.begin(), pieces.end(),
                                    [&](const Piece& piece) { return piece.rows == rows && piece.height == height && piece.adds == adds; });
    return found == pieces.end() ? nullptr : &*found;
  }

  void add_piece(std::int64_t rows, std::int64_t height, bool adds) {
    if (height > 0 && find(rows, height, adds) == nullptr) pieces.push_back(make_piece(rows, height, adds));
  }

  /// The call for a whole piece, or those for its steps.
  void run(const float* x, const float* d, std::int64_t rows, std::int64_t first, std::int64_t last, bool adds, float* to,
           int thread) const {
    if (const Piece* const whole = find(rows, last - first, adds)) return whole->call.run(thread, {x + first, d, to});
    for (std::int64_t row = first; row < last; row += step) {
      const Piece* const part = find(rows, std::min(step, last - row), adds);
      part->call.run(thread, {x + row, d, to + (row - first) * out});
    }
  }

  /// Whether a piece of this height gives the bits of its steps.
  bool gives_the_same(const Piece& piece) const {
    const std::int64_t count = piece.height * out;
    const Buffer x = onednn::made_up(piece.rows * in, 1), d = onednn::made_up(piece.rows * out, 2);
    Buffer whole = onednn::made_up(count, 3), steps = onednn::made_up(count, 3);
    piece.call.run(0, {x.data(), d.data(), whole.data()});
    run(x.data(), d.data(), piece.rows, 0, piece.height, piece.adds, steps.data(), 0);
    return std::memcmp(whole.data(), steps.data(), static_cast<std::size_t>(count) * sizeof(float)) == 0;
  }

  std::int64_t in, out, step;
  std::vector<Piece> pieces = {};
  std::vector<Buffer> scaled = {};  // of each thread: factor * D
};

KernelGradient::KernelGradient(std::int64_t in, std::int64_t out, std::int64_t step)
    : impl_(std::make_unique<Impl>(Impl{in, out, std::min(step, in)})) {}
KernelGradient::~KernelGradient() = default;
KernelGradient::KernelGradient(KernelGradient&&) noexcept = default;
KernelGradient& KernelGradient::operator=(KernelGradient&&) noexcept = default;

void KernelGradient::prepare(std::int64_t rows, std::span<const std::int64_t> heights, bool adds, int threads) {
  const ThreadScope one(1);
  impl_->add_piece(rows, impl_->step, adds);
  impl_->add_piece(rows, impl_->in % impl_->step, adds);
  for (Piece& piece : impl_->pieces) piece.call.prepare(threads);
  constexpr std::int64_t kMostTrial = 1 << 22;  // floats of X and D
  for (const std::int64_t height : heights) {
    if (rows * (impl_->in + impl_->out) > kMostTrial) break;
    if (height <= impl_->step || impl_->find(rows, height, adds) != nullptr) continue;
    Piece piece = impl_->make_piece(rows, height, adds);
    piece.call.prepare(threads);
    if (impl_->gives_the_same(piece)) impl_->pieces.push_back(std::move(piece));
  }
  impl_->scaled.resize(std::max(impl_->scaled.size(), static_cast<std::size_t>(adds ? threads : 0)));
  for (Buffer& scaled : impl_->scaled) {
    if (scaled.size() < rows * impl_->out) scaled = Buffer(rows * impl_->out);
  }
}

void KernelGradient::write(const float* x, const float* d, std::int64_t rows, std::int64_t first, std::int64_t last, float* to,
                           int thread) const {
  impl_->run(x, d, rows, first, last, false, to, thread);
}

void KernelGradient::add(float factor, const float* x, const float* d, std::int64_t rows, std::int64_t first, std::int64_t last, float* to,
                         int thread) const {
  float* const scaled = impl_->scaled[static_cast<std::size_t>(thread)].data();
  const std::int64_t count = rows * impl_->out;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) scaled[i] = factor * d[i];
  impl_->run(x, scaled, rows, first, last, true, to, thread);
}

}  // namespace lockstep
