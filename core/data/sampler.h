#pragma once
#include <cstdint>
#include <vector>

#include "core/data/dataset.h"

namespace lockstep {

/// Which row stands where in which global batch: a pure function of (rows, batch size, shards V, seed, epoch), never of the number of
/// ranks.
///
/// Rows are cut into V contiguous logical shards, shard v = rows [n v / V, n (v + 1) / V). Each epoch every shard shuffles itself. The
/// shards are then dealt round by round, one row of every shard that has one left, and each batch takes the next `batch_size` rows of
/// that deal. Inside a batch the rows lie in slots: shard v owns slots [v k, (v + 1) k), k = ceil(batch_size / V), and a slot that gets no
/// row (short last batch, batch size no multiple of V) stays empty. So a shard's rows always lie in the same slots: a rank that owns a
/// range of slots needs the rows of a range of shards and no other.
///
/// Without shuffling, slot p of step t holds row t * batch_size + p: the order of the file, as in Keras.
class Sampler {
 public:
  /// shards: V; 0 takes the default, batch_size but at most 1024 and at most rows.
  Sampler(std::int64_t rows, std::int64_t batch_size, std::int64_t shards, std::uint64_t seed, bool shuffle);

  bool operator==(const Sampler&) const = default;

  /// Steps of an epoch, ceil(rows / batch_size); the last batch may be short.
  std::int64_t steps() const;
  /// Rows in the global batch of a step.
  std::int64_t rows_in_step(std::int64_t step) const;
  /// Slots of a global batch, at least batch_size.
  std::int64_t slots() const { return shards_ * slots_per_shard_; }
  std::int64_t shards() const { return shards_; }

  /// Row of every slot in [first, last) of every step of an epoch, step after step; -1 for an empty slot.
  std::vector<std::int64_t> order(std::int64_t epoch, std::int64_t first, std::int64_t last) const;
  /// The rows that these slots ever hold.
  std::vector<RowRange> ranges(std::int64_t first, std::int64_t last) const;

 private:
  RowRange shard(std::int64_t v) const { return {rows_ * v / shards_, rows_ * (v + 1) / shards_}; }
  std::int64_t dealt(std::int64_t v, std::int64_t total) const;
  std::vector<std::int64_t> shuffled(std::int64_t epoch, std::int64_t v) const;

  std::int64_t rows_, batch_size_, shards_, slots_per_shard_;
  std::uint64_t seed_;
  bool shuffle_;
};

/// The grains of a batch that a rank computes: grain g = slots [g * rows, (g + 1) * rows), rank r owns grains [count r / N, count (r + 1) /
/// N).
struct Grains {
  std::int64_t rows = 0;             ///< slots per grain
  std::int64_t count = 0;            ///< grains of the whole batch
  std::int64_t first = 0, last = 0;  ///< this rank's

  std::int64_t own() const { return last - first; }
  std::int64_t first_slot() const { return first * rows; }
  std::int64_t own_slots() const { return own() * rows; }
};

/// Cuts `slots` into grains: 8 rows for small batches, more for large ones; a function of the batch alone, never of rank or size.
Grains cut_grains(std::int64_t slots, int rank, int size);

}  // namespace lockstep
