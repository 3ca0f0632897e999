#include "core/data/sampler.h"

#include <algorithm>
#include <numeric>

#include "cluster/error.h"
#include "core/data/limits.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

constexpr std::int64_t kDefaultShards = 1024;  // at most

/// A number in [0, bound): the high half of a 64-bit product. Its bias, below bound / 2^64, cannot be seen.
std::int64_t below(const PhiloxBlock& words, std::int64_t bound) {
  const std::uint64_t word = (std::uint64_t{words[0]} << 32) | words[1];
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::int64_t>((static_cast<Wide>(word) * static_cast<std::uint64_t>(bound)) >> 64);
}

}  // namespace

Sampler::Sampler(std::int64_t rows, std::int64_t batch_size, std::int64_t shards, std::uint64_t seed, bool shuffle)
    : rows_(rows), batch_size_(batch_size), shards_(shards), slots_per_shard_(1), seed_(seed), shuffle_(shuffle) {
  if (rows < 1) throw Error("there are no rows to train on", kUsage);
  if (batch_size < 1) throw Error("batch_size must be at least 1, found " + std::to_string(batch_size), kUsage);
  if (shards < 0) throw Error("shards must be at least 1, or 0 for the default, found " + std::to_string(shards), kUsage);
  if (batch_size > kMostBatchRows)
    throw Error("batch_size must be at most " + std::to_string(kMostBatchRows) + ", found " + std::to_string(batch_size), kUsage);
  if (shards > kMostShards)
    throw Error("shards must be at most " + std::to_string(kMostShards) + ", found " + std::to_string(shards), kUsage);
  if (!shuffle_) {
    shards_ = batch_size_;  // slot p of every batch is a shard of its own: rows p, p + batch_size, ...
    return;
  }
  if (shards_ == 0) shards_ = std::min(batch_size_, kDefaultShards);
  slots_per_shard_ = (batch_size_ + shards_ - 1) / shards_;
}

std::int64_t Sampler::steps() const { return (rows_ + batch_size_ - 1) / batch_size_; }

std::int64_t Sampler::rows_in_step(std::int64_t step) const { return std::min(batch_size_, rows_ - step * batch_size_); }

/// Rows of shard v among the first `total` rows of the deal: full rounds give one to each; the last round only to shards with one row more.
std::int64_t Sampler::dealt(std::int64_t v, std::int64_t total) const {
  const std::int64_t least = rows_ / shards_;
  if (total <= least * shards_) return total / shards_ + (v < total % shards_ ? 1 : 0);
  const bool larger = shard(v).size() > least;
  // Shards before v that have the extra row: rows before v minus the least of each.
  const std::int64_t before = shard(v).first - v * least;
  return least + (larger && before < total - least * shards_ ? 1 : 0);
}

std::vector<std::int64_t> Sampler::shuffled(std::int64_t epoch, std::int64_t v) const {
  const RowRange rows = shard(v);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.size()));
  std::iota(order.begin(), order.end(), rows.first);
  const RandomStream random(seed_, RandomPurpose::shuffle, static_cast<std::uint32_t>(v));
  for (std::int64_t i = rows.size() - 1; i > 0; --i) {  // Fisher and Yates
    const std::int64_t j = below(random.block(static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(i)), i + 1);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

std::vector<std::int64_t> Sampler::order(std::int64_t epoch, std::int64_t first, std::int64_t last) const {
  const std::int64_t width = last - first;
  std::vector<std::int64_t> order(static_cast<std::size_t>(steps() * width), -1);
  if (!shuffle_) {
    for (std::int64_t i = 0; i < steps() * width; ++i) {
      const std::int64_t slot = first + i % width, row = i / width * batch_size_ + slot;
      if (slot < batch_size_ && row < rows_) order[static_cast<std::size_t>(i)] = row;
    }
    return order;
  }
  for (std::int64_t v = first / slots_per_shard_; v < shards_ && v * slots_per_shard_ < last; ++v) {
    const std::vector<std::int64_t> rows = shuffled(epoch, v);
    for (std::int64_t step = 0; step < steps(); ++step) {
      const std::int64_t from = dealt(v, step * batch_size_), to = dealt(v, std::min(rows_, (step + 1) * batch_size_));
      for (std::int64_t i = from; i < to; ++i) {
        const std::int64_t slot = v * slots_per_shard_ + (i - from);
        if (slot >= first && slot < last) order[static_cast<std::size_t>(step * width + slot - first)] = rows[static_cast<std::size_t>(i)];
      }
    }
  }
  return order;
}

std::vector<RowRange> Sampler::ranges(std::int64_t first, std::int64_t last) const {
  std::vector<RowRange> ranges;
  if (!shuffle_) {
    for (std::int64_t step = 0; step < steps(); ++step) {
      const std::int64_t end = step * batch_size_ + rows_in_step(step);
      const RowRange rows{std::min(step * batch_size_ + first, end), std::min(step * batch_size_ + last, end)};
      if (rows.size() > 0) ranges.push_back(rows);
    }
    return ranges;
  }
  const std::int64_t from = std::min(first / slots_per_shard_, shards_);
  const std::int64_t to = std::min((last + slots_per_shard_ - 1) / slots_per_shard_, shards_);
  const RowRange rows{rows_ * from / shards_, rows_ * to / shards_};
  if (last > first && rows.size() > 0) ranges.push_back(rows);
  return ranges;
}

Grains cut_grains(std::int64_t slots, int rank, int size) {
  constexpr std::int64_t kSmallest = 8, kUsual = 16, kLargest = 64, kAtLeast = 8;
  // As large as leaves at least kAtLeast grains to share among ranks, within 16 to 64 rows; 8 where there would be a single grain.
  Grains grains;
  grains.rows = slots >= 2 * kUsual ? kUsual : kSmallest;
  while (grains.rows < kLargest && slots / (2 * grains.rows) >= kAtLeast) grains.rows *= 2;
  grains.count = (slots + grains.rows - 1) / grains.rows;
  grains.first = grains.count * rank / size;
  grains.last = grains.count * (rank + 1) / size;
  return grains;
}

}  // namespace lockstep
