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

/// work(first grain, grains) for blocks of rows that a thread computes at once: grain by grain, or as many parts as threads.
template <class Work>
void Pass::for_each_block(bool by_grain, std::int64_t grains, const Work& work) const {
  const std::int64_t parts = by_grain ? grains : std::min<std::int64_t>(threads_, grains);
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
  for_each_block(by_grain(i), grains_, [&](std::int64_t g, std::int64_t n) {
    op.finish(values(i + 1) + g * rows_ * op.out, at(block, g, n, i + 1 == network_.ops().size()));
  });
}

bool Pass::needs_sums(std::size_t i, Direction direction, const Block& block) const {
  return block.training && network_.ops()[i]->batch_sums(direction) > 0;
}

/// The sums over the batch that op i needs before its forward or backward pass; before(g) makes what grain g is collected from.
template <class Before>
void Pass::sum(std::size_t i, Direction direction, const Block& block, const Before& before) {
  Op& op = *network_.ops()[i];
  const bool back = direction == Direction::backward;
  op.use_sums(direction, sums_->add(op.batch_sums(direction), threads_, [&](std::int64_t g, double* sums) {
    before(g);
    op.collect_sums(values(i) + g * rows_ * op.in, back ? deltas(i + 1) + g * rows_ * op.out : nullptr,
                    at(block, g, 1, i + 1 == network_.ops().size()), sums);
  }));
}

std::size_t Pass::forward_chain(std::size_t first, std::size_t last, const Block& block) const {
  std::size_t end = first + 1;
  if (!chains(first)) return end;
  while (end < last && chains(end) && !needs_sums(end, Direction::forward, block)) ++end;
  return end;
}

/// It ends with an op whose gradient can be formed and sent then.
std::size_t Pass::backward_chain(std::size_t last, const Block& block) const {
  const auto has_gradient = [&](std::size_t i) { return network_.ops()[i]->trainable() && !network_.ops()[i]->gradient_in_sums(); };
  std::size_t first = last - 1;
  if (!chains(first)) return first;
  while (first > network_.first_trainable() && !has_gradient(first) && chains(first - 1) &&
         !needs_sums(first - 1, Direction::backward, block)) {
    --first;
  }
  return first;
}

template <class PassOp>
void Pass::run(std::size_t first, std::size_t last, Direction direction, const Block& block, std::int64_t grains, const PassOp& pass) {
  const bool back = direction == Direction::backward;
  const auto chain = [&](std::int64_t g, std::int64_t n) {
    for (std::size_t i = 0; i < last - first; ++i) pass(back ? last - 1 - i : first + i, g, n);
  };
  const bool in_grains = [&] {
    for (std::size_t i = first; i < last; ++i) {
      if (by_grain(i)) return true;
    }
    return false;
  }();
  const bool more = back ? first > network_.first_trainable() : last < network_.ops().size();
  const std::size_t next = back ? first - 1 : last;
  if (!more || !needs_sums(next, direction, block)) return for_each_block(in_grains, grains, chain);
  if (in_grains) return sum(next, direction, block, [&](std::int64_t g) { chain(g, 1); });
  for_each_block(false, grains, chain);
  sum(next, direction, block, [](std::int64_t) {});
}

void Pass::forward(Block block, std::int64_t grains, std::size_t first, std::size_t last) {
  const auto& ops = network_.ops();
  first = std::max(first, first_op_);
  if (first < last && needs_sums(first, Direction::forward, block)) sum(first, Direction::forward, block, [](std::int64_t) {});
  for (std::size_t end; first < last; first = end) {
    end = forward_chain(first, last, block);
    for (std::size_t i = first; block.training && i < end; ++i) {
      for_each_grain(threads_, ops[i]->refreshes(), [&](std::int64_t piece) { ops[i]->refresh(piece, i > network_.first_trainable()); });
    }
    run(first, end, Direction::forward, block, grains, [&](std::size_t i, std::int64_t g, std::int64_t n) {
      const Op& op = *ops[i];
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
  const std::size_t least = network_.first_trainable();
  if (ops.size() > least && needs_sums(ops.size() - 1, Direction::backward, block)) {
    sum(ops.size() - 1, Direction::backward, block, [](std::int64_t) {});
  }
  for (std::size_t last = ops.size(), first; last > least; last = first) {
    first = backward_chain(last, block);
    {
      const TraceSpan span(trace_, SpanKind::backward, static_cast<std::int64_t>(first));
      run(first, last, Direction::backward, block, grains_, [&](std::size_t i, std::int64_t g, std::int64_t n) {
        const Op& op = *ops[i];
        const std::int64_t x = g * rows_ * op.in, y = g * rows_ * op.out;
        op.backward(values(i) + x, values(i + 1) + y, deltas(i + 1) + y, i > least ? deltas(i) + x : nullptr,
                    at(block, g, n, i + 1 == ops.size()));
      });
    }
    for (std::size_t i = last; i-- > first;) done(i);
  }
}

}  // namespace lockstep
