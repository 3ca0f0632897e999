#include "core/layers/embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>

#include "cluster/clones.h"
#include "core/data/limits.h"
#include "core/layers/activity_regularizer.h"
#include "core/layers/op.h"

namespace lockstep {
namespace {

/// to += factor * from.
LOCKSTEP_CLONES void add_row(const float* from, std::int64_t count, float factor, float* to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

/// A product of one-hot rows and the table: its factors are the numbers and the deltas, so that ranks exchange these and never the table's
/// gradient. Rows are added in the order of the batch, whoever does it.
class EmbeddingOp final : public Op {
 public:
  EmbeddingOp(const Embedding& layer, std::int64_t numbers) : table_rows_(layer.input_dim), length_(layer.output_dim) {
    in = numbers;
    out = numbers * length_;
    weights_.push_back(
        {"embeddings", {table_rows_, length_}, layer.embeddings_initializer, layer.embeddings_regularizer, layer.embeddings_constraint});
  }

  bool row_count_invariant() const override { return true; }
  bool exchanges_rows() const override { return true; }
  bool adds_gradient() const override { return true; }

  void forward(const float* x, float* y, const Block& block) const override {
    for (std::int64_t i = 0; i < block.rows * in; ++i) {
      const std::int64_t row = row_of(x[i]);
      if (row < 0 && block.has_row(i / in)) note(block.first_slot + i / in, x[i]);
      std::copy_n(parameters() + weights_[0].offset + std::max<std::int64_t>(row, 0) * length_, length_, y + i * length_);
    }
  }

  /// A number has no gradient.
  void backward(const float*, const float*, float*, float* dx, const Block& block) const override {
    if (dx != nullptr) std::fill_n(dx, block.rows * in, 0.F);
  }

  /// Rows of the table, at most 32 parts.
  std::vector<VariableRange> parts() const override {
    constexpr std::int64_t kMost = 32, kFloats = 8 << 10;
    const std::int64_t count = std::clamp<std::int64_t>(table_rows_ * length_ / kFloats, 1, std::min(kMost, table_rows_));
    std::vector<VariableRange> parts;
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t first = table_rows_ * p / count, last = table_rows_ * (p + 1) / count;
      const std::int64_t offset = weights_[0].offset + first * length_;
      const std::int64_t end = p + 1 < count ? weights_[0].offset + last * length_ : slice().offset + slice().count;
      parts.push_back({offset, end - offset});
    }
    return parts;
  }

  void gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const override {
    std::fill_n(to, part.count, 0.F);
    add_gradient(x, dy, block, part, 1, to);
  }

  void add_gradient(const float* x, const float* dy, const Block& block, VariableRange part, float factor, float* to) const override {
    const std::int64_t first = (part.offset - weights_[0].offset) / length_, last = first + part.count / length_;
    for (std::int64_t i = 0; i < block.rows * in; ++i) {
      const std::int64_t row = row_of(x[i]);
      if (row >= first && row < last) add_row(dy + i * length_, length_, factor, to + (row - first) * length_);
    }
  }

  std::optional<RowFlaw> take_flaw() override {
    const std::uint64_t first = flaw_.exchange(kNoFlaw, std::memory_order_relaxed);
    if (first == kNoFlaw) return {};
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(first));
    return RowFlaw{static_cast<std::int64_t>(first >> 32U),
                   fmt::format("{} is not a whole number from 0 to {} (input_dim {})", value, table_rows_ - 1, table_rows_)};
  }

 private:
  static constexpr std::uint64_t kNoFlaw = std::numeric_limits<std::uint64_t>::max();

  /// -1: not a row of the table.
  std::int64_t row_of(float number) const {
    if (!(number >= 0 && number < static_cast<float>(table_rows_))) return -1;
    const auto row = static_cast<std::int64_t>(number);
    return static_cast<float>(row) == number && row < table_rows_ ? row : -1;
  }

  /// Keeps the first flaw of the batch: slot and value in one word.
  void note(std::int64_t slot, float value) const {
    const std::uint64_t flaw = static_cast<std::uint64_t>(slot) << 32U | std::bit_cast<std::uint32_t>(value);
    for (std::uint64_t before = flaw_.load(std::memory_order_relaxed);
         flaw < before && !flaw_.compare_exchange_weak(before, flaw, std::memory_order_relaxed);) {
    }
  }

  std::int64_t table_rows_, length_;
  mutable std::atomic<std::uint64_t> flaw_ = kNoFlaw;
};

}  // namespace

BuiltLayer build(const Embedding& layer, const LayerSite& site) {
  constexpr std::int64_t kMostExact = 1 << 24;  // beyond it not every whole number is a float
  if (layer.input_dim > kMostExact)
    throw layer_error(layer, fmt::format("input_dim is {}, but features are floats, which count to {}", layer.input_dim, kMostExact));
  Shape output = site.input;
  output.push_back(layer.output_dim);
  if (!row_fits(output)) {
    throw layer_error(layer, fmt::format("an output of shape {} has more than {} numbers a row", to_string(output, true), kMostElements));
  }
  BuiltLayer built{.output = output};
  built.ops.push_back(std::make_unique<EmbeddingOp>(layer, elements(site.input)));
  add_activity_regularizer(layer.activity_regularizer, built);
  return built;
}

}  // namespace lockstep
