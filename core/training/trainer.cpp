#include "core/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cluster/fingerprint.h"
#include "cluster/host/core_round_trip.h"
#include "core/data/truth_error.h"
#include "core/layers/regularizers.h"
#include "core/training/step_flags.h"

namespace lockstep {
namespace {

/// Seconds since the last call.
class Lap {
 public:
  double operator()() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

bool has_regularizer(const Network& network) {
  return std::any_of(network.variables().begin(), network.variables().end(),
                     [](const Variable& variable) { return variable.regularizer.l1 != 0 || variable.regularizer.l2 != 0; });
}

}  // namespace

Trainer::Trainer(ModelState& model, const Dataset& data, const FitOptions& options, const World& world, int threads)
    : model_(model),
      data_(data),
      world_(world),
      options_(options),
      regularized_(has_regularizer(*model.network)),
      sampler_(data.rows(), options.batch_size, options.shards, model.seed, options.shuffle),
      grains_(cut_grains(sampler_.slots(), world.rank(), world.size())),
      trainable_(trainable_ops(*model.network)),
      in_place_(exchanges_factors(exchange_options(options), *model.network, grains_, world) && model.optimizer->plain() && !regularized_),
      trees_(grains_.count, world.size(), world.rank(), threads,
             [this](const GradientBlock& block, std::int64_t grain, float* to) { form_leaf(block, grain, to); }),
      exchange_(make_exchange(threads)),
      at_once_(exchange_->shared() && !model.optimizer->clips_by_norm()),
      pass_(*model.network, {.rows = grains_.rows,
                             .grains = grains_.own(),
                             .threads = threads,
                             .backward = true,
                             .memory = [this](std::int64_t count) { return Buffer::over(exchange_->allocate(count)); },
                             .values = [this](std::size_t i, std::int64_t count) { return Buffer::over(allocate_values(i, count)); },
                             .of = exchange_->shared() ? grains_.count : 0,
                             .first = grains_.first,
                             .trace = options.trace}),
      scorer_(model.options->loss, model.fused(), model.resolved_metrics(data.truth_width()), grains_.count) {
  const auto slots = static_cast<std::size_t>(grains_.own_slots());
  truth_.resize(slots * static_cast<std::size_t>(data.truth_width()));
  weight_.resize(slots);
  present_.resize(slots);
  value_.resize(slots);
  probabilities_ = Buffer(grains_.own_slots() * model.network->output_width());
  const At here(world.activity(), Place::opening_data);
  world.agree([&] {
    reader_ = data.open(sampler_.ranges(grains_.first_slot(), grains_.first_slot() + grains_.own_slots()));
    if (options.stop_on_nan) reader_->expect_finite();
  });
  if (model.network->bfloat16()) bfloat16_.emplace(pass_, *model.network, trainable_);
  if (exchange_->shared()) share_state();
  if (options.trace != nullptr) {
    options.trace->layers.clear();
    for (std::size_t i = 0; i < model.network->ops().size(); ++i) options.trace->layers.push_back(model.network->layer_of(i));
  }
  if (!exchange_->columns_stay() && (trainable_.empty() || !model.network->ops()[trainable_.back()]->any_rows())) return;
  columns_.clear();  // all at once, or this rank's
  if (!exchange_->columns_stay()) return;
  for (const GradientBlock& block : exchange_->own()) {
    if (block.stays) columns_.push_back({block.column, block.columns});
  }
  for (const GradientBlock& block : blocks_) {
    if (block.columns > 0 && !block.stays) columns_of_all_.push_back({block.column, block.columns});
  }
}

/// The weights leave the memory that goes with the exchange.
Trainer::~Trainer() {
  if (!exchange_->shared()) return;
  const auto own = [](std::int64_t count) { return Buffer(count); };
  model_.network->place(own(static_cast<std::int64_t>(model_.network->parameters().size())), false);
  model_.optimizer->place(own, false);
}

std::unique_ptr<Exchange> Trainer::make_exchange(int threads) {
  const bool columns = cuts_columns(*model_.network, trainable_, in_place_) && !sums_in_tree(trainable_.size() - 1);
  // Several threads share the blocks; a gradient that is written and then read again had better stay in the cache in between.
  blocks_ = cut_blocks(*model_.network, trainable_, columns, in_place_ && threads == 1);
  if (columns && world_.hosts() == 1) let_columns_stay(blocks_, grains_, world_.size(), [&] { return ranks_are_far(world_); });
  for (GradientBlock& block : blocks_) {
    block.joins = block.joins && !sums_in_tree(block.layer);  // whose sums are kept block by block
    if (block.columns > 0) columns_.push_back({block.column, block.columns});
  }
  if (exchanges_factors(exchange_options(options_), *model_.network, grains_, world_)) return make_factor_exchange(world_, blocks_);
  const bool measured = options_.allreduce == AllreduceAlgorithm::automatic && !options_.allreduce_table.empty();
  allreduce_ = measured ? make_allreduce(world_, options_.allreduce_table) : make_allreduce(world_, options_.allreduce);
  return make_allreduce_exchange(*allreduce_, blocks_, choose_progress(world_, options_.progress, threads));
}

/// What the first layer reads is copied to every rank where each computes columns of its output for the whole batch.
std::span<float> Trainer::allocate_values(std::size_t i, std::int64_t count) {
  if (!exchange_->columns_stay() || i != trainable_.back()) return exchange_->allocate(count);
  const std::int64_t width = model_.network->ops()[i]->in;
  return exchange_->allocate_copies(count, grains_.first_slot() * width, grains_.own_slots() * width);
}

/// Weights, slots and factors move to memory of the exchange. What all ranks of a host see has one copy: the first one's, which is equal to
/// the others' when training starts.
void Trainer::share_state() {
  const bool keep = world_.local_rank() != 0;
  const auto parameters = static_cast<std::int64_t>(model_.network->parameters().size());
  model_.network->place(Buffer::over(exchange_->allocate_weights(parameters)), keep && !exchange_->replicates());
  model_.optimizer->place([this](std::int64_t count) { return Buffer::over(exchange_->allocate(count)); }, keep);
  const auto factor = [this](std::span<float> rows, std::int64_t width) {
    return Factor{rows, grains_.first_slot() * width, grains_.own_slots() * width};
  };
  for (std::size_t i = 0; i < trainable_.size(); ++i) {
    const std::size_t op = trainable_[i];
    if (sums_in_tree(i)) {
      add_tree_layer(i);
      continue;
    }
    exchange_->watch(factor(pass_.visible_values(op), model_.network->ops()[op]->in),
                     factor(pass_.visible_deltas(op + 1), model_.network->ops()[op]->out));
  }
  exchange_->synchronize();
}

void Trainer::begin_epoch(std::int64_t epoch, std::int64_t first_step, const EpochSums& before) {
  model_.network->prepare(grains_.rows, pass_.threads());
  order_ = sampler_.order(epoch, grains_.first_slot(), grains_.first_slot() + grains_.own_slots());
  reader_->begin(std::span<const std::int64_t>(order_).subspan(static_cast<std::size_t>(first_step * grains_.own_slots())));
  step_ = first_step;
  scorer_.restore(before.pairs, grains_.first, grains_.last);
  penalty_ = before.penalty;
  rows_ = before.rows;
}

Trainer::Request Trainer::step(Request own) {
  const TraceSpan span(options_.trace, SpanKind::step, model_.optimizer->iterations());
  Lap lap;
  Activity& activity = world_.activity();
  activity.at(Place::reading);
  try {
    read();
  } catch (
      ...) {  // the others learn of it with this step, so that one message ends all; what it computes from the rows before goes with it
    unread_ = std::current_exception();
  }
  profile_.input += lap();
  const double communication = exchange_->seconds();
  activity.at(Place::computing);
  compute();
  write_flags({own, !scorer_.finite(grains_.first, grains_.last), unread_ != nullptr, fingerprint()}, exchange_->flags());
  if (!exchange_->shared()) activity.at(Place::gradients);
  finish();
  const double waited = exchange_->seconds() - communication;
  profile_.communication += waited;
  profile_.compute += lap() - waited;
  activity.at(Place::updating);
  update();
  activity.step(model_.optimizer->iterations());
  const double published = exchange_->seconds() - communication - waited;
  profile_.communication += published;
  profile_.optimizer += lap() - published;
  ++step_;
  const AgreedFlags agreed = read_flags(exchange_->flags(), world_.size());
  if (agreed.differs) disagree();
  if (agreed.unread) {
    world_.agree([this] {
      if (unread_) std::rethrow_exception(unread_);
    });
  }
  if (agreed.diverged && options_.stop_on_nan) diverge();
  return agreed.request;
}

/// Changes with everything that ranks must have in common at a step.
std::uint64_t Trainer::fingerprint() const {
  const auto value = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
  std::uint64_t print = value(model_.optimizer->iterations());
  for (const std::uint64_t part :
       {value(step_), value(sampler_.steps()), value(sampler_.rows_in_step(step_)), value(static_cast<std::int64_t>(trainable_.size())),
        value(static_cast<std::int64_t>(model_.network->parameters().size()))}) {
    print = print * 0x9e3779b97f4a7c15U + part;
  }
  return print;
}

/// Collective; throws.
void Trainer::disagree() const {
  agree_on(world_, "the step",
           "step " + std::to_string(step_) + " of " + std::to_string(sampler_.steps()) + " (" +
               std::to_string(sampler_.rows_in_step(step_)) + " rows, " + std::to_string(model_.optimizer->iterations()) + " updates, " +
               std::to_string(trainable_.size()) + " layers, " + std::to_string(model_.network->parameters().size() * sizeof(float)) +
               " bytes of weights)");
  throw Error("the sums of a step's fingerprint disagree although all ranks are at the same step: memory or network corrupts data");
}

/// Collective; throws. The weights have already taken the step, checkpoints before it have not.
void Trainer::diverge() {
  const std::vector<std::string> ranks = world_.all_gather(scorer_.finite(grains_.first, grains_.last) ? "" : world_.hostname());
  const auto first = std::find_if(ranks.begin(), ranks.end(), [](const std::string& host) { return !host.empty(); });
  const auto rank = static_cast<int>(first - ranks.begin());
  const auto count = std::count_if(ranks.begin(), ranks.end(), [](const std::string& host) { return !host.empty(); });
  throw AgreedError("the loss is not finite after " + std::to_string(model_.optimizer->iterations()) + " steps: the rows of rank " +
                        std::to_string(rank) + (count > 1 ? " and of " + std::to_string(count - 1) + " more" : std::string()) +
                        " gave nan or inf. Lower the learning rate, clip the gradient or scale features of large numbers; checkpoints "
                        "before this step are not "
                        "touched (training.on_nan: continue goes on all the same)",
                    kFailed, rank, *first);
}

void Trainer::finish() {
  in_exchange([this] { exchange_->finish(); });
  const TraceSpan span(exchange_->shared() ? options_.trace : nullptr, SpanKind::gradient);
  form_due();
}

void Trainer::read() {
  const TraceSpan span(options_.trace, SpanKind::input);
  reader_->read(grains_.own_slots(), pass_.target(truth_.data(), weight_.data()));
  const std::int64_t* rows = order_.data() + step_ * grains_.own_slots();
  for (std::size_t i = 0; i < present_.size(); ++i) present_[i] = rows[i] >= 0 ? 1.F : 0.F;
  if (!options_.class_weight.empty()) weigh_classes();
}

void Trainer::weigh_classes() {
  const auto width = static_cast<std::size_t>(data_.truth_width());
  for (std::size_t i = 0; i < weight_.size(); ++i) {
    const auto found = options_.class_weight.find(class_of(std::span<const float>(truth_).subspan(i * width, width)));
    if (found != options_.class_weight.end()) weight_[i] *= found->second;
  }
}

void Trainer::compute() {
  const Block block{.first_slot = grains_.first_slot(), .step = model_.optimizer->iterations(), .training = true, .logits = model_.fused()};
  forward(block);
  const std::int64_t rows = sampler_.rows_in_step(step_);
  const float scale = 1.F / static_cast<float>(rows);
  {
    const TraceSpan span(options_.trace, SpanKind::loss);
    for_each_grain(pass_.threads(), grains_.own(), [&](std::int64_t g) { score(g, scale); });
  }
  rows_ += static_cast<double>(rows);
  if (regularized_) penalty_ += static_cast<double>(rows) * penalty(*model_.network);
  std::size_t ready = 0;
  pass_.backward(block, [&](std::size_t op) {
    if (ready == trainable_.size() || trainable_[ready] != op) return;
    const TraceSpan gradient(exchange_->shared() && !trees_.has(ready) ? nullptr : options_.trace, SpanKind::gradient);
    if (trees_.has(ready)) trees_.sum(ready);
    exchange_->ready(ready++);
    form_due();
  });
}

void Trainer::forward(const Block& block) {
  const TraceSpan span(options_.trace, SpanKind::forward);
  if (columns_.empty() && !exchange_->columns_stay()) {
    pass_.forward(block, grains_.own());
  } else {
    const std::size_t first = trainable_.back();
    pass_.forward(block, grains_.own(), 0, first);
    if (exchange_->columns_stay()) {
      if (!columns_of_all_.empty()) pass_.multiply(first, grains_.first, grains_.last, columns_of_all_);
      in_exchange([this] { exchange_->collect(); });
      pass_.multiply(first, 0, grains_.count, columns_);
      in_exchange([this] { exchange_->synchronize(); });
    } else {
      pass_.multiply(first, grains_.first, grains_.last, columns_);
    }
    pass_.finish(first, block);
    pass_.forward(block, grains_.own(), first + 1, model_.network->ops().size());
  }
  exchange_->forwarded();
}

void Trainer::score(std::int64_t grain, float scale) {
  const std::int64_t row = grain * grains_.rows, width = model_.network->output_width(), truth_width = data_.truth_width();
  const bool trains = model_.network->first_trainable() < model_.network->ops().size();
  const auto slots = static_cast<std::size_t>(step_ * grains_.own_slots() + row);
  naming_rows(data_, std::span(order_).subspan(slots, static_cast<std::size_t>(grains_.rows)), [&] {
    scorer_.add(grains_.first + grain,
                {.truth = truth_.data() + row * truth_width,
                 .weight = weight_.data() + row,
                 .input = pass_.output() + row * width,
                 .output = probabilities_.data() + row * width,
                 .delta = trains ? pass_.output_deltas() + row * width : nullptr,
                 .value = value_.data() + row,
                 .rows = grains_.rows,
                 .width = width,
                 .truth_width = truth_width,
                 .scale = scale},
                present_.data() + row);
  });
}

std::vector<double> Trainer::running() const { return scorer_.results(scorer_.total(), rows_ > 0 ? penalty_ / rows_ : 0); }

std::vector<double> Trainer::results() {
  std::vector<double> pairs(scorer_.pairs().begin(), scorer_.pairs().end());
  world_.sum(scorer_.pairs());
  const std::vector<double> results = scorer_.results(scorer_.total(), rows_ > 0 ? penalty_ / rows_ : 0);
  std::copy(pairs.begin(), pairs.end(), scorer_.pairs().begin());
  return results;
}

EpochSums Trainer::sums() {
  EpochSums sums{{scorer_.pairs().begin(), scorer_.pairs().end()}, penalty_, rows_};
  world_.sum(sums.pairs);
  return sums;
}

}  // namespace lockstep
