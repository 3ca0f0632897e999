#include "core/network/pass.h"

#include <algorithm>

namespace lockstep {

Pass::Pass(Network& network, const Options& options)
    : network_(network),
      first_op_(!network.ops().empty() && network.ops()[0]->scale_and_offset() ? 1 : 0),
      rows_(options.rows),
      grains_(options.grains),
      first_row_(options.of > 0 ? options.first * options.rows : 0),
      visible_rows_((options.of > 0 ? options.of : options.grains) * options.rows),
      threads_(options.threads),
      sums_(options.sums),
      trace_(options.trace) {
  if (sums_ == nullptr) sums_ = &own_sums_.emplace(grains_);
  for (std::size_t i = 0; i <= network.ops().size(); ++i) {
    const std::int64_t count = visible_rows_ * width(i);
    values_.push_back(i < first_op_ ? Buffer() : options.values ? options.values(i, count) : options.memory(count));
    if (options.backward) deltas_.push_back(options.memory(i > network.first_trainable() ? count : 0));
  }
  network.prepare(rows_, threads_, grains_);
}

RowTarget Pass::target(float* truth, float* weight) {
  const ScaleAndOffset first = first_op_ > 0 ? *network_.ops()[0]->scale_and_offset() : ScaleAndOffset{};
  return {input(), truth, weight, first.scale, first.offset};
}

Block Pass::at(Block block, std::int64_t grain, std::int64_t grains, bool last) const {
  block.rows = grains * rows_;
  block.first_slot += grain * rows_;
  block.logits = block.logits && last;
  if (block.present != nullptr) block.present += grain * rows_;
  block.thread = threads_ > 1 ? grain_thread() : 0;
  return block;
}

/// work(first grain, grains) for blocks of rows that a thread computes at once: all its grains where the op takes any number of rows, as
/// many parts as threads; else grain by grain.
template <class Work>
void Pass::for_each_block(const Op& op, std::int64_t grains, const Work& work) const {
  const std::int64_t parts = op.row_count_invariant() ? std::min<std::int64_t>(threads_, grains) : grains;
  for_each_grain(threads_, parts, [&](std::int64_t p) {
    const std::int64_t first = grains * p / parts;
    work(first, grains * (p + 1) / parts - first);
  });
}

void Pass::multiply(std::size_t i, std::int64_t first, std::int64_t last, std::span<const Columns> columns) {
  const Op& op = *network_.ops()[i];
  const auto product = [&](std::int64_t grain, std::int64_t grains, const Columns& part) {
    op.multiply(values_[i].data() + grain * rows_ * op.in, values_[i + 1].data() + grain * rows_ * op.out, grains * rows_, part.column,
                part.columns);
  };
  const auto width = static_cast<std::int64_t>(columns.size()),
             parts = op.row_count_invariant() ? std::min<std::int64_t>(1, last - first) : last - first;
  for_each_grain(threads_, parts * width, [&](std::int64_t task) {  // column by column, so that its weights serve all grains
    const std::int64_t grain = task % parts, grains = parts == 1 ? last - first : 1;
    product(first + grain, grains, columns[static_cast<std::size_t>(task / parts)]);
  });
}

void Pass::finish(std::size_t i, Block block) {
  const Op& op = *network_.ops()[i];
  for_each_block(op, grains_, [&](std::int64_t g, std::int64_t n) {
    op.finish(values(i + 1) + g * rows_ * op.out, at(block, g, n, i + 1 == network_.ops().size()));
  });
}

/// The sums over the batch that op i needs before its forward or backward pass.
void Pass::sum(std::size_t i, Direction direction, const Block& block) {
  Op& op = *network_.ops()[i];
  const std::int64_t count = op.batch_sums(direction);
  if (!block.training || count == 0) return;
  op.use_sums(direction, sums_->add(count, threads_, [&](std::int64_t g, double* sums) {
    const float* const dy = direction == Direction::backward ? deltas(i + 1) + g * rows_ * op.out : nullptr;
    op.collect_sums(values(i) + g * rows_ * op.in, dy, at(block, g, 1, i + 1 == network_.ops().size()), sums);
  }));
}

void Pass::forward(Block block, std::int64_t grains, std::size_t first, std::size_t last) {
  const auto& ops = network_.ops();
  for (std::size_t i = std::max(first, first_op_); i < last; ++i) {
    Op& op = *ops[i];
    if (block.training)
      for_each_grain(threads_, op.refreshes(), [&](std::int64_t piece) { op.refresh(piece, i > network_.first_trainable()); });
    sum(i, Direction::forward, block);
    for_each_block(op, grains, [&](std::int64_t g, std::int64_t n) {
      op.forward(values(i) + g * rows_ * op.in, values(i + 1) + g * rows_ * op.out, at(block, g, n, i + 1 == ops.size()));
    });
  }
}

double Pass::penalty(Block block, std::int64_t grain) {
  double total = 0;
  for (std::size_t i = first_op_; i < network_.ops().size(); ++i) {
    const Op& op = *network_.ops()[i];
    if (op.has_penalty()) total += op.penalty(values(i + 1) + grain * rows_ * op.out, at(block, grain, 1, false));
  }
  return total;
}

void Pass::backward(Block block, const std::function<void(std::size_t)>& done) {
  const auto& ops = network_.ops();
  for (std::size_t i = ops.size(); i-- > network_.first_trainable();) {
    {
      const TraceSpan span(trace_, SpanKind::backward, static_cast<std::int64_t>(i));
      const Op& op = *ops[i];
      const bool wanted = i > network_.first_trainable();
      sum(i, Direction::backward, block);
      for_each_block(op, grains_, [&](std::int64_t g, std::int64_t n) {
        const std::int64_t x = g * rows_ * op.in, y = g * rows_ * op.out;
        op.backward(values(i) + x, values(i + 1) + y, deltas(i + 1) + y, wanted ? deltas(i) + x : nullptr,
                    at(block, g, n, i + 1 == ops.size()));
      });
    }
    done(i);
  }
}

}  // namespace lockstep
