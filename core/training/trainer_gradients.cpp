// Trainer's gradients: how blocks are formed, summed in trees, penalized and updated.
#include <algorithm>

#include "core/layers/regularizers.h"
#include "core/math/onednn.h"
#include "core/training/trainer.h"

namespace lockstep {

bool Trainer::sums_in_tree(std::size_t index) const {
  return lockstep::sums_in_tree(exchange_options(options_), *model_.network->ops()[dense_[index]]->weights(), grains_);
}

void Trainer::add_tree_layer(std::size_t index) {
  const DenseWeights& weights = *model_.network->ops()[dense_[index]]->weights();
  std::vector<GradientBlock> blocks;
  std::copy_if(blocks_.begin(), blocks_.end(), std::back_inserter(blocks),
               [&](const GradientBlock& block) { return block.layer == index; });
  trees_.add(weights, std::move(blocks), exchange_->allocate(trees_.part_count(weights)));
  exchange_->watch({}, trees_.own(index));
}

void Trainer::form(std::span<const GradientBlock> blocks) {
  if (bfloat16_) bfloat16_->take(blocks);
  for_each_grain(pass_.threads(), static_cast<std::int64_t>(blocks.size()), [&](std::int64_t b) {
    const GradientBlock& block = blocks[static_cast<std::size_t>(b)];
    form(block);
    if (!at_once_) return;
    if (regularized_) penalize(block);
    update(block);
  });
}

void Trainer::form(const GradientBlock& block) {
  const std::size_t op = dense_[block.layer];
  const DenseWeights& weights = *model_.network->ops()[op]->weights();
  float* gradients = exchange_->gradients().data();
  if (trees_.has(block.layer)) return trees_.combine(block, gradients, pass_.threads() > 1 ? grain_thread() : 0);
  const std::int64_t rows = pass_.visible_rows() * weights.repeat;
  if (rows == 0) {  // only where a rank sees nothing but its own rows, and has none
    std::fill_n(gradients + block.offset, block.count, 0.F);
    return;
  }
  const float *x = pass_.visible_values(op).data(), *d = pass_.visible_deltas(op + 1).data();
  const WeightGradient gradient{
      x, d, rows, weights.in, weights.out, block.first, block.last, block.column, block.columns > 0 ? block.columns : weights.out};
  if (block.first < block.last) {  // else the bias alone
    if (bfloat16_) {
      float* target = in_place(block) ? model_.network->parameters().data() : gradients;
      bfloat16_->form(block, in_place(block) ? -model_.optimizer->learning_rate() : 1, in_place(block), target + block.offset);
    } else if (in_place(block)) {
      gradient.add(-model_.optimizer->learning_rate(), model_.network->parameters().data() + block.offset);
    } else {
      gradient.write(gradients + block.offset);
    }
  }
  if (block.bias) bias_gradient(d, rows, weights.out, gradients + weights.bias);
}

void Trainer::form_leaf(const GradientBlock& block, std::int64_t grain, float* to) {
  const std::size_t op = dense_[block.layer];
  const DenseWeights& weights = *model_.network->ops()[op]->weights();
  const std::int64_t rows = grains_.rows * weights.repeat;
  const float *x = pass_.visible_values(op).data() + grain * rows * weights.in,
              *d = pass_.visible_deltas(op + 1).data() + grain * rows * weights.out;
  WeightGradient{x, d, rows, weights.in, weights.out, block.first, block.last, 0, weights.out}.write(to);
  const std::int64_t kernel = (block.last - block.first) * weights.out;
  std::fill(to + kernel, to + block.count, 0.F);
  if (block.bias) bias_gradient(d, rows, weights.out, to + kernel);
}

void Trainer::update() {
  const TraceSpan span(options_.trace, SpanKind::update);
  if (!at_once_) {
    const std::span<const GradientBlock> blocks = exchange_->own();
    if (regularized_) {
      for (const GradientBlock& block : blocks) penalize(block);
    }
    if (model_.optimizer->clips_by_norm()) {
      exchange_->synchronize();
      model_.optimizer->measure(exchange_->gradients());
      exchange_->synchronize();
    }
    for_each_grain(pass_.threads(), static_cast<std::int64_t>(blocks.size()),
                   [&](std::int64_t b) { update(blocks[static_cast<std::size_t>(b)]); });
  }
  model_.optimizer->count_step();
  in_exchange([this] { exchange_->publish(); });
}

void Trainer::penalize(const GradientBlock& block) {
  add_penalty_gradient(*model_.network, exchange_->gradients(), {block.offset, block.count});
}

void Trainer::update(const GradientBlock& block) {
  VariableRange range{block.offset, block.count};
  if (in_place(block)) {
    const DenseWeights& weights = *model_.network->ops()[dense_[block.layer]]->weights();
    range = block.bias ? VariableRange{weights.bias, weights.out} : VariableRange{block.offset, 0};
  }
  model_.optimizer->update(model_.network->parameters(), exchange_->gradients(), range);
}

}  // namespace lockstep
