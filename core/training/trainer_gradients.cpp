// Trainer's gradients: how blocks are formed, summed in trees, penalized and updated.
#include <algorithm>

#include "core/layers/regularizers.h"
#include "core/math/onednn.h"
#include "core/training/trainer.h"

namespace lockstep {

bool Trainer::sums_in_tree(std::size_t index) const {
  return lockstep::sums_in_tree(exchange_options(options_), *model_.network->ops()[trainable_[index]], grains_);
}

void Trainer::add_tree_layer(std::size_t index) {
  const VariableRange slice = model_.network->ops()[trainable_[index]]->slice();
  std::vector<GradientBlock> blocks;
  std::copy_if(blocks_.begin(), blocks_.end(), std::back_inserter(blocks),
               [&](const GradientBlock& block) { return block.layer == index; });
  trees_.add(slice, std::move(blocks), exchange_->allocate(trees_.part_count(slice)));
  exchange_->watch({}, trees_.own(index));
}

void Trainer::form_due() {
  for (std::span<const GradientBlock> blocks = exchange_->due(); !blocks.empty(); blocks = exchange_->due()) {
    form(blocks);
    exchange_->formed(blocks);
  }
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
  float* gradients = exchange_->gradients().data();
  if (trees_.has(block.layer)) return trees_.combine(block, gradients, pass_.threads() > 1 ? grain_thread() : 0);
  if (pass_.visible_rows() == 0) {  // only where a rank sees nothing but its own rows, and has none
    std::fill_n(gradients + block.offset, block.count, 0.F);
    return;
  }
  if (in_place_) return form_in_place(block);
  if (bfloat16_ && bfloat16_->has(block.layer)) return form_bfloat16(block);
  const std::size_t op = trainable_[block.layer];
  op_of(block).gradient(pass_.visible_values(op).data(), pass_.visible_deltas(op + 1).data(), pass_.visible_rows(),
                        {block.offset, block.count}, gradients + block.offset);
}

/// A step of plain SGD: the kernel's gradient is added to the kernel while it is formed. Only products are not in trees_.
void Trainer::form_in_place(const GradientBlock& block) {
  const std::size_t op = trainable_[block.layer];
  const Product& product = *op_of(block).product();
  const std::int64_t rows = pass_.visible_rows() * product.repeat, columns = block.columns > 0 ? block.columns : product.out;
  const float *x = pass_.visible_values(op).data(), *d = pass_.visible_deltas(op + 1).data();
  float* const kernel = model_.network->parameters().data() + block.offset;
  const float factor = -model_.optimizer->learning_rate();
  if (block.first < block.last) {  // else the bias alone
    if (bfloat16_) {
      bfloat16_->form(block, factor, true, kernel);
    } else {
      WeightGradient{x, d, rows, product.in, product.out, block.first, block.last, block.column, columns}.add(factor, kernel);
    }
  }
  if (block.bias) bias_gradient(d, rows, product.out, exchange_->gradients().data() + product.bias);
}

void Trainer::form_bfloat16(const GradientBlock& block) {
  const Product& product = *op_of(block).product();
  float* const gradients = exchange_->gradients().data();
  bfloat16_->form(block, 1, false, gradients + block.offset);
  if (!block.bias) return;
  const float* const d = pass_.visible_deltas(trainable_[block.layer] + 1).data();
  bias_gradient(d, pass_.visible_rows() * product.repeat, product.out, gradients + product.bias);
}

void Trainer::form_leaf(const GradientBlock& block, std::int64_t grain, float* to) {
  const Op& op = op_of(block);
  const std::size_t i = trainable_[block.layer];
  const float *x = pass_.visible_values(i).data() + grain * grains_.rows * op.in,
              *d = pass_.visible_deltas(i + 1).data() + grain * grains_.rows * op.out;
  op.gradient(x, d, grains_.rows, {block.offset, block.count}, to);
  const bool last = block.offset + block.count == op.slice().offset + op.slice().count;
  if (last) std::fill_n(to + block.count - op.padding(), op.padding(), 0.F);
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
    const Product& product = *op_of(block).product();
    range = block.bias ? VariableRange{product.bias, product.out} : VariableRange{block.offset, 0};
  }
  model_.optimizer->update(model_.network->parameters(), exchange_->gradients(), range);
}

}  // namespace lockstep
