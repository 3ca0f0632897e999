#include "core/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/ops.h"
#include "core/regularizers.h"

namespace lockstep {
namespace {

enum Flag : std::size_t { kStop, kCheckpoint };

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

std::vector<std::size_t> dense_ops(const Network& network) {
  std::vector<std::size_t> dense;
  for (std::size_t i = network.ops().size(); i-- > 0;) {
    if (network.ops()[i]->weights() != nullptr) dense.push_back(i);
  }
  return dense;
}

}  // namespace

Trainer::Trainer(ModelState& model, const Dataset& data, const FitOptions& options, const World& world, int threads)
    : model_(model),
      data_(data),
      world_(world),
      options_(options),
      sampler_(data.rows(), options.batch_size, options.shards, model.seed, options.shuffle),
      grains_(cut_grains(sampler_.slots(), world.rank(), world.size())),
      pass_(*model.network, grains_.rows, grains_.own(), threads, true),
      scorer_(model.options->loss, model.fused(), model.resolved_metrics(data.truth_width()), grains_.count),
      dense_(dense_ops(*model.network)) {
  for (const Variable& variable : model.network->variables()) regularized_ |= variable.regularizer.l1 != 0 || variable.regularizer.l2 != 0;
  const auto slots = static_cast<std::size_t>(grains_.own_slots());
  truth_.resize(slots * static_cast<std::size_t>(data.truth_width()));
  weight_.resize(slots);
  present_.resize(slots);
  value_.resize(slots);
  probabilities_ = Buffer(grains_.own_slots() * model.network->output_width());
  world.agree([&] { reader_ = data.open(sampler_.ranges(grains_.first_slot(), grains_.first_slot() + grains_.own_slots())); });
  allreduce_ = make_allreduce(world, options.allreduce);
  const auto parameters = static_cast<std::int64_t>(model.network->parameters().size());
  exchange_ = make_allreduce_exchange(*allreduce_, parameters, [this](std::size_t index) { form(index); });
}

void Trainer::begin_epoch(std::int64_t epoch, std::int64_t first_step) {
  model_.network->prepare(grains_.rows, pass_.threads());
  order_ = sampler_.order(epoch, grains_.first_slot(), grains_.first_slot() + grains_.own_slots());
  reader_->begin(std::span<const std::int64_t>(order_).subspan(static_cast<std::size_t>(first_step * grains_.own_slots())));
  step_ = first_step;
  scorer_.reset();
  penalty_ = rows_ = 0;
}

Trainer::Request Trainer::step(Request own) {
  Lap lap;
  read();
  profile_.input += lap();
  compute();
  const double communication = exchange_->seconds();
  for (std::size_t i = 0; i < dense_.size(); ++i) exchange_->ready(i);
  const std::span<float> flags = exchange_->flags();
  flags[kStop] = own.stop ? 1.F : 0.F;
  flags[kCheckpoint] = own.checkpoint ? 1.F : 0.F;
  exchange_->finish();
  const double waited = exchange_->seconds() - communication;
  profile_.communication += waited;
  profile_.compute += lap() - waited;
  update();
  profile_.optimizer += lap();
  ++step_;
  return {.stop = flags[kStop] > 0, .checkpoint = flags[kCheckpoint] > 0};
}

void Trainer::read() {
  reader_->read(grains_.own_slots(), {pass_.input(), truth_.data(), weight_.data()});
  const std::int64_t* rows = order_.data() + step_ * grains_.own_slots();
  for (std::size_t i = 0; i < present_.size(); ++i) present_[i] = rows[i] >= 0 ? 1.F : 0.F;
  if (!options_.class_weight.empty()) weigh_classes();
}

/// Keras: the class is the label, or the largest element of a one-hot row.
void Trainer::weigh_classes() {
  const auto width = static_cast<std::size_t>(data_.truth_width());
  for (std::size_t i = 0; i < weight_.size(); ++i) {
    const float* truth = &truth_[i * width];
    const std::int64_t label = width == 1 ? std::llround(*truth) : std::max_element(truth, truth + width) - truth;
    const auto found = options_.class_weight.find(label);
    if (found != options_.class_weight.end()) weight_[i] *= found->second;
  }
}

void Trainer::compute() {
  const Block block{.first_slot = grains_.first_slot(), .step = model_.optimizer->iterations(), .training = true, .logits = model_.fused()};
  pass_.forward(block, grains_.own());
  const std::int64_t rows = sampler_.rows_in_step(step_);
  const float scale = 1.F / static_cast<float>(rows);
  for_each_grain(pass_.threads(), grains_.own(), [&](std::int64_t g) { score(g, scale); });
  rows_ += static_cast<double>(rows);
  if (regularized_) penalty_ += static_cast<double>(rows) * penalty(*model_.network);
  pass_.backward(block);
}

void Trainer::score(std::int64_t grain, float scale) {
  const std::int64_t row = grain * grains_.rows, width = model_.network->output_width(), truth_width = data_.truth_width();
  const bool trains = model_.network->first_trainable() < model_.network->ops().size();
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
}

void Trainer::form(std::size_t index) {
  const std::size_t op = dense_[index];
  const DenseWeights& weights = *model_.network->ops()[op]->weights();
  float* gradients = exchange_->gradients().data();
  const std::int64_t rows = grains_.own_slots() * weights.repeat;
  if (rows == 0) {
    std::fill_n(gradients + weights.offset, weights.count, 0.F);
    return;
  }
  const float *x = pass_.values(op), *d = pass_.deltas(op + 1);
  const std::int64_t blocks = std::min<std::int64_t>(pass_.threads(), weights.in);
  for_each_grain(pass_.threads(), blocks, [&](std::int64_t b) {
    weight_gradient(x, d, rows, weights.in, weights.out, weights.in * b / blocks, weights.in * (b + 1) / blocks, gradients + weights.kernel);
  });
  if (weights.bias >= 0) bias_gradient(d, rows, weights.out, gradients + weights.bias);
}

void Trainer::update() {
  if (regularized_) add_penalty_gradient(*model_.network, exchange_->gradients());
  model_.optimizer->step(model_.network->parameters(), exchange_->gradients());
}

std::vector<double> Trainer::running() const { return scorer_.results(scorer_.total(), rows_ > 0 ? penalty_ / rows_ : 0); }

std::vector<double> Trainer::results() {
  std::vector<double> pairs(scorer_.pairs().begin(), scorer_.pairs().end());
  world_.sum(scorer_.pairs());
  const std::vector<double> results = scorer_.results(scorer_.total(), rows_ > 0 ? penalty_ / rows_ : 0);
  std::copy(pairs.begin(), pairs.end(), scorer_.pairs().begin());
  return results;
}

}  // namespace lockstep
