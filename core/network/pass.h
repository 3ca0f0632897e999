#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "cluster/buffer.h"
#include "cluster/trace/trace.h"
#include "core/data/dataset.h"
#include "core/math/thread_team.h"
#include "core/network/batch_sums.h"
#include "core/network/network.h"

namespace lockstep {

/// The buffers between a network's ops for a number of grains, and the way through them. Ops that take all rows at once are run one by one,
/// so that their weights stay in the cache. Through a chain of others a grain goes at once, so that its rows do. values(i) is the input of
/// op i, values(ops) the output of the network, each (grains * rows, width), row-major.
class Pass {
 public:
  /// Where the buffers come from: `count` zeroed floats.
  using Memory = std::function<Buffer(std::int64_t count)>;
  struct Options {
    std::int64_t rows = 0, grains = 0;
    int threads = 1;
    bool backward = false;  ///< also has deltas, dL/dvalues(i)
    /// The buffer of values(i), or of deltas.
    Memory memory = [](std::int64_t count) { return Buffer(count); };
    std::function<Buffer(std::size_t i, std::int64_t count)> values = nullptr;  ///< of values(i) instead, where it is given
    std::int64_t of = 0, first = 0;  ///< memory is shared by a batch of `of` grains, of which these are [first, first + grains); 0: its own
    BatchSums* sums = nullptr;       ///< of all ranks' grains, for ops that need them; null: the own grains are the batch
    Trace* trace = nullptr;          ///< of backward's ops
  };
  Pass(Network& network, const Options& options);

  float* values(std::size_t i) { return values_[i].data() + first_row_ * width(i); }
  float* deltas(std::size_t i) { return deltas_[i].data() + first_row_ * width(i); }
  /// Where rows are read to, rescaled as the target says: a Rescaling at the start is done while rows are read.
  float* input() { return values(first_op_); }
  RowTarget target(float* truth, float* weight);
  /// The network's output; with `logits` what its last op was given instead of a softmax or sigmoid, for the loss to replace.
  float* output() { return values(values_.size() - 1); }
  float* output_deltas() { return deltas(values_.size() - 1); }
  /// Rows in the memory: of the whole batch if it is shared. visible_values(i), visible_deltas(i): (visible_rows, width).
  std::int64_t visible_rows() const { return visible_rows_; }
  std::span<float> visible_values(std::size_t i) { return values_[i].span(); }
  std::span<float> visible_deltas(std::size_t i) { return deltas_[i].span(); }
  std::int64_t rows() const { return rows_; }
  std::int64_t grains() const { return grains_; }
  int threads() const { return threads_; }

  /// `block`: step, training, logits; first_slot of the first grain. Only the first `grains` grains are computed.
  void forward(Block block, std::int64_t grains) { forward(block, grains, 0, network_.ops().size()); }
  /// The same for ops [first, last), save what reading has done.
  void forward(Block block, std::int64_t grains, std::size_t first, std::size_t last);
  /// Op::multiply of op i for grains [first, last) of those in memory (0: the first visible one), these columns of its output.
  struct Columns {
    std::int64_t column, columns;
  };
  void multiply(std::size_t i, std::int64_t first, std::int64_t last, std::span<const Columns> columns);
  /// Op::finish of op i for the own grains.
  void finish(std::size_t i, Block block);
  /// Op::penalty of all ops on the rows of one grain. `block`: its own.
  double penalty(Block block, std::int64_t grain);
  /// From output_deltas() down to the first trainable op; leaves each op's deltas in deltas(i + 1).
  /// done(i) after op i, whose deltas and those of the ops behind it are complete then.
  void backward(Block block, const std::function<void(std::size_t)>& done);

 private:
  bool needs_sums(std::size_t i, Direction direction, const Block& block) const;
  bool by_grain(std::size_t i) const { return !network_.ops()[i]->row_count_invariant(); }
  /// Whether op i may be part of a chain. A product had better see all rows at once.
  bool chains(std::size_t i) const { return network_.ops()[i]->product() == nullptr; }
  /// The end of the chain of ops that starts with `first`, and the start of that which ends before `last` on the way back.
  std::size_t forward_chain(std::size_t first, std::size_t last, const Block& block) const;
  std::size_t backward_chain(std::size_t last, const Block& block) const;
  /// pass(i, first grain, grains) for the ops of a chain in this direction, and the sums that the next op needs.
  template <class PassOp>
  void run(std::size_t first, std::size_t last, Direction direction, const Block& block, std::int64_t grains, const PassOp& pass);
  template <class Before>
  void sum(std::size_t i, Direction direction, const Block& block, const Before& before);
  Block at(Block block, std::int64_t grain, std::int64_t grains, bool last) const;
  template <class Work>
  void for_each_block(bool by_grain, std::int64_t grains, const Work& work) const;
  std::int64_t width(std::size_t i) const { return i == 0 ? network_.input_width() : network_.ops()[i - 1]->out; }

  Network& network_;
  std::size_t first_op_;  // ops before it are done while rows are read
  std::int64_t rows_, grains_, first_row_, visible_rows_;
  int threads_;
  std::optional<BatchSums> own_sums_;
  BatchSums* sums_;
  Trace* trace_;
  std::vector<Buffer> values_, deltas_;
};

}  // namespace lockstep
