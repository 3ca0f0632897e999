#include "core/exchange/gradients.h"

#include <algorithm>
#include <numeric>

#include "core/network/regularizers.h"

namespace lockstep {
Gradients::Gradients(Network& network, Optimizer& optimizer, const Grains& grains, const World& world, const Options& options)
    : network_(network),
      optimizer_(optimizer),
      grains_(grains),
      world_(world),
      options_(options),
      regularized_(has_regularizer(network)),
      cut_(cut_gradient(network, optimizer, grains, options.exchange, shape_of(world), options.threads)),
      trainable_(cut_.trainable),
      in_place_(cut_.in_place),
      trees_(grains.count, world.size(), world.rank(), options.threads,
             [this](const GradientBlock& block, std::int64_t grain, int thread, float* to) { form_leaf(block, grain, thread, to); }),
      exchange_(make_exchange()),
      shared_(exchange_->factors()),
      columns_stay_(shared_ != nullptr && shared_->columns_stay()),
      at_once_(shared_ != nullptr && !optimizer.needs_all()),
      batch_sums_(grains, world),
      pass_(network, pass_options()) {
  if (network.bfloat16()) bfloat16_.emplace(pass_, network, trainable_);
  if (shared_ != nullptr) share_state();
  choose_columns();
  for (std::size_t layer = 0; layer < trainable_.size(); ++layer) forms_.push_back(choose_form(layer));
  if (optimizer.forms()) choose_variables();
}

Gradients::~Gradients() {
  if (shared_ == nullptr) return;
  const auto own = [](std::int64_t count) { return Buffer(count); };
  network_.place(own(static_cast<std::int64_t>(network_.parameters().size())), false);
  optimizer_.place(own, false);
}

std::unique_ptr<Exchange> Gradients::make_exchange() {
  if (options_.exchange.factors) return make_factor_exchange(world_, cut_.blocks, cut_.written, options_.exchange.far);
  allreduce_ = make_allreduce(world_, options_.exchange.allreduce);
  return make_allreduce_exchange(*allreduce_, cut_.blocks, choose_progress(world_, options_.progress, options_.threads));
}

Pass::Options Gradients::pass_options() {
  return {.rows = grains_.rows,
          .grains = grains_.own(),
          .threads = options_.threads,
          .backward = true,
          .memory = [this](std::int64_t count) { return Buffer::over(exchange_->allocate(count)); },
          .values = [this](std::size_t i, std::int64_t count) { return Buffer::over(allocate_values(i, count)); },
          .of = shared_ != nullptr ? grains_.count : 0,
          .first = grains_.first,
          .sums = &batch_sums_,
          .trace = options_.trace};
}

/// What the first layer reads is copied to every rank where each computes columns of its output for the whole batch.
std::span<float> Gradients::allocate_values(std::size_t i, std::int64_t count) {
  if (!columns_stay_ || i != trainable_.back()) return exchange_->allocate(count);
  const std::int64_t width = network_.ops()[i]->in;
  return shared_->allocate_copies(count, grains_.first_slot() * width, grains_.own_slots() * width);
}

/// Weights, slots and factors move to memory of the exchange. What all ranks of a host see has one copy: the first one's, which is equal to
/// the others' when training starts.
void Gradients::share_state() {
  const bool keep = world_.local_rank() != 0;
  const auto parameters = static_cast<std::int64_t>(network_.parameters().size());
  network_.place(Buffer::over(shared_->allocate_weights(parameters)), keep && !shared_->replicates());
  optimizer_.place([this](std::int64_t count) { return Buffer::over(exchange_->allocate(count)); }, keep);
  const auto factor = [this](std::span<float> rows, std::int64_t width) {
    return Factor{rows, grains_.first_slot() * width, grains_.own_slots() * width};
  };
  for (std::size_t layer = 0; layer < trainable_.size(); ++layer) {
    const std::size_t op = trainable_[layer];
    if (in_tree(layer)) {
      add_tree_layer(layer);
      continue;
    }
    if (options_.exchange.layers[layer] == LayerExchange::sums) {
      shared_->watch({}, {});
      continue;
    }
    shared_->watch(factor(pass_.visible_values(op), op_of(layer).in), factor(pass_.visible_deltas(op + 1), op_of(layer).out));
  }
  exchange_->synchronize();
}

void Gradients::add_tree_layer(std::size_t layer) {
  const VariableRange slice = op_of(layer).slice();
  std::vector<GradientBlock> blocks;
  std::copy_if(cut_.blocks.begin(), cut_.blocks.end(), std::back_inserter(blocks),
               [&](const GradientBlock& block) { return block.layer == layer; });
  trees_.add(slice, std::move(blocks), exchange_->allocate(trees_.part_count(slice)));
  shared_->watch({}, trees_.own(layer));
}

/// Columns of the first layer, where they stay with their ranks.
void Gradients::choose_columns() {
  if (!columns_stay_) return;
  for (const GradientBlock& block : exchange_->own()) {
    if (block.stays) columns_.push_back({block.column, block.columns});
  }
  for (const GradientBlock& block : cut_.blocks) {
    if (block.columns > 0 && !block.stays) columns_of_all_.push_back({block.column, block.columns});
  }
}

std::unique_ptr<BlockForm> Gradients::choose_form(std::size_t layer) {
  const std::size_t op = trainable_[layer];
  const BlockSource source{network_.ops()[op], pass_.visible_values(op).data(), pass_.visible_deltas(op + 1).data(), pass_.visible_rows(),
                           exchange_->gradients().data()};
  prepare_gradient(layer);
  const Bfloat16Factors* const bfloat16 = bfloat16_ && bfloat16_->has(layer) ? &*bfloat16_ : nullptr;
  if (trees_.has(layer)) return make_tree_form(source, trees_);
  if (source.op->gradient_in_sums()) return make_sums_form(source, shared_ != nullptr || world_.rank() == 0);
  if (in_place_ && source.op->adds_gradient()) return make_added_form(source, optimizer_, network_.parameters().data());
  if (in_place_) return make_in_place_form(source, bfloat16, optimizer_, network_.parameters().data());
  return bfloat16 != nullptr ? make_bfloat16_form(source, *bfloat16) : make_written_form(source);
}

void Gradients::prepare_gradient(std::size_t layer) {
  Op& op = *network_.ops()[trainable_[layer]];
  const std::int64_t rows = in_tree(layer) ? grains_.rows : pass_.visible_rows();
  if (rows == 0) return;
  if (op.product() == nullptr) return op.prepare_gradient(grains_.rows, {}, false, pass_.threads());
  std::vector<std::int64_t> heights;
  for (const GradientBlock& block : exchange_->own()) {
    if (block.layer == layer) heights.push_back(block.last - block.first);
  }
  op.prepare_gradient(rows, heights, in_place_ && !in_tree(layer), pass_.threads());
}

void Gradients::forward(const Block& block) {
  const TraceSpan span(options_.trace, SpanKind::forward);
  if (columns_stay_) {
    const std::size_t first = trainable_.back();
    pass_.forward(block, grains_.own(), 0, first);
    multiply_columns();
    pass_.finish(first, block);
    pass_.forward(block, grains_.own(), first + 1, network_.ops().size());
  } else {
    pass_.forward(block, grains_.own());
  }
  if (shared_ != nullptr) shared_->forwarded();
}

/// The first layer's product where columns stay with ranks: each waits for all rows of its input.
void Gradients::multiply_columns() {
  const std::size_t first = trainable_.back();
  if (!columns_of_all_.empty()) pass_.multiply(first, grains_.first, grains_.last, columns_of_all_);
  in_exchange([this] { shared_->collect(); });
  pass_.multiply(first, 0, grains_.count, columns_);
  in_exchange([this] { exchange_->synchronize(); });
}

void Gradients::backward(const Block& block) {
  std::size_t ready = 0;
  pass_.backward(block, [&](std::size_t op) {
    if (ready == trainable_.size() || trainable_[ready] != op) return;
    const TraceSpan gradient(shared_ != nullptr && !trees_.has(ready) ? nullptr : options_.trace, SpanKind::gradient);
    if (trees_.has(ready)) trees_.sum(ready);
    exchange_->ready(ready++);
    form_due();
  });
}

void Gradients::finish() {
  in_exchange([this] { exchange_->finish(); });
  const TraceSpan span(shared_ != nullptr ? options_.trace : nullptr, SpanKind::gradient);
  form_due();
}

void Gradients::form_due() {
  for (std::span<const GradientBlock> blocks = exchange_->due(); !blocks.empty(); blocks = exchange_->due()) {
    form(blocks);
    exchange_->formed(blocks);
  }
}

void Gradients::form(std::span<const GradientBlock> blocks) {
  if (bfloat16_) bfloat16_->take(blocks);
  for_each_grain(pass_.threads(), static_cast<std::int64_t>(blocks.size()), [&](std::int64_t b) {
    const GradientBlock& block = blocks[static_cast<std::size_t>(b)];
    forms_[block.layer]->form(block, pass_.threads() > 1 ? grain_thread() : 0);
    if (!at_once_) return;
    gather(block);
    update(block);
  });
}

void Gradients::form_leaf(const GradientBlock& block, std::int64_t grain, int thread, float* to) {
  const Op& op = op_of(block.layer);
  const std::size_t i = trainable_[block.layer];
  const float *x = pass_.visible_values(i).data() + grain * grains_.rows * op.in,
              *d = pass_.visible_deltas(i + 1).data() + grain * grains_.rows * op.out;
  op.gradient(x, d, {.rows = grains_.rows, .thread = thread}, {block.offset, block.count}, to);
  const bool last = block.offset + block.count == op.slice().offset + op.slice().count;
  if (last) std::fill_n(to + block.count - op.padding(), op.padding(), 0.F);
}

void Gradients::update() {
  const TraceSpan span(options_.trace, SpanKind::update);
  if (!at_once_) {
    const std::span<const GradientBlock> blocks = exchange_->own();
    for (const GradientBlock& block : blocks) gather(block);
    if (optimizer_.needs_all() && optimizer_.updates()) form_updates();
    for_each_grain(pass_.threads(), static_cast<std::int64_t>(blocks.size()),
                   [&](std::int64_t b) { update(blocks[static_cast<std::size_t>(b)]); });
  }
  optimizer_.count_step();
  in_exchange([this] { exchange_->publish(); });
  if (!network_.constrained().empty()) constrain();
}

/// What needs more of the gradient than a rank has formed: norms, which every rank takes, and updates of whole variables, which the ranks
/// of a host divide among themselves.
void Gradients::form_updates() {
  exchange_->synchronize();
  if (optimizer_.clips_by_norm()) {
    optimizer_.measure(exchange_->gradients());
    exchange_->synchronize();
  }
  if (!optimizer_.forms()) return;
  for_each_grain(pass_.threads(), static_cast<std::int64_t>(own_variables_.size()), [this](std::int64_t i) {
    optimizer_.form(own_variables_[static_cast<std::size_t>(i)], network_.parameters(), exchange_->gradients());
  });
  exchange_->synchronize();
}

/// The largest variable left goes to the rank that has least. All of them where every rank has a gradient of its own.
void Gradients::choose_variables() {
  const std::vector<OptimizerVariable>& variables = optimizer_.variables();
  std::vector<std::size_t> order(variables.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return variables[a].count > variables[b].count; });
  const std::size_t ranks = shared_ != nullptr ? static_cast<std::size_t>(world_.local_size()) : 1;
  const std::size_t own = shared_ != nullptr ? static_cast<std::size_t>(world_.local_rank()) : 0;
  std::vector<std::int64_t> load(ranks);
  for (const std::size_t i : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    load[least] += variables[i].count;
    if (least == own) own_variables_.push_back(i);
  }
}

/// Each rank changes its own copy of the weights, which are those of all blocks; the first one of a host if they share it.
template <class Work>
void Gradients::change_weights(const Work& work) {
  const bool one_copy = shared_ != nullptr && !shared_->replicates();
  if (!one_copy) in_exchange([this] { exchange_->synchronize(); });  // nobody copies from this rank any more
  if (!one_copy || world_.local_rank() == 0) work();
  if (one_copy) in_exchange([this] { exchange_->synchronize(); });
}

/// A norm needs the whole weight, which a rank has after publish().
void Gradients::constrain() {
  change_weights([this] {
    for_each_grain(pass_.threads(), static_cast<std::int64_t>(network_.constrained().size()),
                   [this](std::int64_t i) { network_.constrain(static_cast<std::size_t>(i)); });
  });
}

void Gradients::take_averages() {
  if (options_of(optimizer_.spec()).use_ema) change_weights([this] { optimizer_.take_averages(network_.parameters()); });
}

void Gradients::gather(const GradientBlock& block) {
  if (regularized_) penalize(block);
  optimizer_.gather(exchange_->gradients(), {block.offset, block.count});
}

void Gradients::penalize(const GradientBlock& block) {
  add_penalty_gradient(network_, exchange_->gradients(), {block.offset, block.count});
}

void Gradients::update(const GradientBlock& block) {
  optimizer_.update(network_.parameters(), exchange_->gradients(), forms_[block.layer]->left(block));
}

}  // namespace lockstep
