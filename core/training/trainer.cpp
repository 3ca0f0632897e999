#include "core/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cluster/fingerprint.h"
#include "core/data/truth_error.h"
#include "core/network/regularizers.h"
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

}  // namespace

Trainer::Trainer(ModelState& model, const Dataset& data, const TrainingPlan& plan, const FitOptions& options, const World& world)
    : model_(model),
      data_(data),
      world_(world),
      options_(options),
      sampler_(plan.sampler),
      grains_(plan.grains),
      gradients_(*model.network, *model.optimizer, grains_, world,
                 {.exchange = plan.exchange, .progress = options.progress, .threads = plan.threads, .trace = options.trace}),
      scorer_(model.options->loss, model.options->reduction, model.fused(), model.resolved_metrics(data.truth_width()),
              {.output_width = model.network->output_width(), .truth_width = data.truth_width()}, grains_.count, plan.threads),
      batch_sums_(grains_, world) {
  const auto slots = static_cast<std::size_t>(grains_.own_slots());
  truth_.resize(slots * static_cast<std::size_t>(data.truth_width()));
  weight_.resize(slots);
  present_.resize(slots);
  value_.resize(slots);
  probabilities_ = Buffer(grains_.own_slots() * model.network->output_width());
  const ScopedStage stage(world.activity(), Stage::opening_data);
  world.agree([&] {
    reader_ = data.open(sampler_.ranges(grains_.first_slot(), grains_.first_slot() + grains_.own_slots()));
    if (options.stop_on_nan) reader_->expect_finite();
  });
  if (options.trace != nullptr) {
    options.trace->layers.clear();
    for (std::size_t i = 0; i < model.network->ops().size(); ++i) options.trace->layers.push_back(model.network->layer_of(i));
  }
}

void Trainer::begin_epoch(std::int64_t epoch, std::int64_t first_step, const EpochSums& before) {
  model_.network->prepare(grains_.rows, gradients_.pass().threads());
  order_ = sampler_.order(epoch, grains_.first_slot(), grains_.first_slot() + grains_.own_slots());
  reader_->begin(std::span<const std::int64_t>(order_).subspan(static_cast<std::size_t>(first_step * grains_.own_slots())));
  step_ = first_step;
  scorer_.restore(before.scores, grains_.first, grains_.last);
  penalty_ = before.penalty;
  rows_ = before.rows;
}

Trainer::Request Trainer::step(Request own) {
  const TraceSpan span(options_.trace, SpanKind::step, model_.optimizer->iterations());
  Lap lap;
  Activity& activity = world_.activity();
  activity.enter(Stage::reading);
  try {
    read();
  } catch (
      ...) {  // the others learn of it with this step, so that one message ends all; what it computes from the rows before goes with it
    unread_ = std::current_exception();
  }
  profile_.input += lap();
  const double communication = waited_so_far();
  activity.enter(Stage::computing);
  compute();
  write_flags({own, !scorer_.finite(grains_.first, grains_.last), unread_ != nullptr, fingerprint()}, gradients_.flags());
  if (!gradients_.shares_factors()) activity.enter(Stage::gradients);
  gradients_.finish();
  const double waited = waited_so_far() - communication;
  profile_.communication += waited;
  profile_.compute += lap() - waited;
  activity.enter(Stage::updating);
  gradients_.update();
  activity.step(model_.optimizer->iterations());
  const double published = waited_so_far() - communication - waited;
  profile_.communication += published;
  profile_.optimizer += lap() - published;
  ++step_;
  const AgreedFlags agreed = read_flags(gradients_.flags(), world_.size());
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
       {value(step_), value(sampler_.steps()), value(sampler_.rows_in_step(step_)), value(static_cast<std::int64_t>(gradients_.layers())),
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
               std::to_string(gradients_.layers()) + " layers, " + std::to_string(model_.network->parameters().size() * sizeof(float)) +
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
                        " gave nan or inf. Lower the learning rate, clip the gradient or scale features of large numbers; "
                        "checkpoints before this step are not touched (training.on_nan: continue goes on all the same)",
                    kFailed, rank, *first);
}

void Trainer::read() {
  const TraceSpan span(options_.trace, SpanKind::input);
  reader_->read(grains_.own_slots(), gradients_.pass().target(truth_.data(), weight_.data()));
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
  const std::int64_t rows = sampler_.rows_in_step(step_);
  const float scale = 1.F / static_cast<float>(rows);
  const Block block{.first_slot = grains_.first_slot(),
                    .step = model_.optimizer->iterations(),
                    .training = true,
                    .logits = model_.fused(),
                    .row_scale = scale,
                    .present = present_.data()};
  gradients_.forward(block);
  find_flaw();
  {
    const TraceSpan span(options_.trace, SpanKind::loss);
    batch_.rows = static_cast<double>(rows);
    if (scorer_.needs_batch()) sum_batch();
    for_each_grain(gradients_.pass().threads(), grains_.own(), [&](std::int64_t g) { score(g, block); });
  }
  rows_ += static_cast<double>(rows);
  if (gradients_.regularized()) penalty_ += static_cast<double>(rows) * penalty(*model_.network);
  gradients_.backward(block);
}

/// The others learn of it with this step.
void Trainer::find_flaw() {
  const std::optional<RowFlaw> flaw = model_.network->take_flaw();
  if (!flaw || unread_) return;
  const std::int64_t row = order_[static_cast<std::size_t>(step_ * grains_.own_slots() + flaw->slot - grains_.first_slot())];
  unread_ = std::make_exception_ptr(Error(data_.where(row, RowPart::features) + ": " + flaw->what));
}

LossRows Trainer::rows_of(std::int64_t grain) {
  const std::int64_t row = grain * grains_.rows, width = model_.network->output_width(), truth_width = data_.truth_width();
  const bool trains = model_.network->first_trainable() < model_.network->ops().size();
  return {.truth = truth_.data() + row * truth_width,
          .weight = weight_.data() + row,
          .input = gradients_.pass().output() + row * width,
          .output = probabilities_.data() + row * width,
          .delta = trains ? gradients_.pass().output_deltas() + row * width : nullptr,
          .value = value_.data() + row,
          .rows = grains_.rows,
          .width = width,
          .truth_width = truth_width};
}

double Trainer::waited_so_far() const { return gradients_.seconds() + batch_sums_.seconds(); }

/// Collective.
void Trainer::sum_batch() {
  const std::span<const double> sums = batch_sums_.add(LossBatch::kSums, gradients_.pass().threads(), [&](std::int64_t g, double* own) {
    std::fill_n(own, LossBatch::kSums, 0.0);
    scorer_.add_to_batch(rows_of(g), present_.data() + g * grains_.rows, std::span<double, LossBatch::kSums>(own, LossBatch::kSums));
  });
  std::copy(sums.begin(), sums.end(), batch_.sums.begin());
}

void Trainer::score(std::int64_t grain, const Block& block) {
  const std::int64_t row = grain * grains_.rows;
  const auto slots = static_cast<std::size_t>(step_ * grains_.own_slots() + row);
  naming_rows(data_, std::span(order_).subspan(slots, static_cast<std::size_t>(grains_.rows)), [&] {
    scorer_.add(grains_.first + grain, rows_of(grain), present_.data() + row, batch_);
    scorer_.add_penalty(grains_.first + grain, gradients_.pass().penalty(block, grain));
  });
}

std::vector<double> Trainer::running() const { return scorer_.results(scorer_.sums(), rows_ > 0 ? penalty_ / rows_ : 0); }

std::vector<double> Trainer::results() { return scorer_.results(sums().scores, rows_ > 0 ? penalty_ / rows_ : 0); }

EpochSums Trainer::sums() {
  EpochSums sums{scorer_.sums(), penalty_, rows_};
  world_.sum(sums.scores.grains);
  world_.sum(sums.scores.counts);
  sums.finite = scorer_.finite(sums.scores) && std::isfinite(penalty_);
  return sums;
}

}  // namespace lockstep
