#include "core/training/evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/data/truth_error.h"
#include "core/network/regularizers.h"

namespace lockstep {
namespace {

constexpr std::int64_t kGrainRows = kEvaluationRows;

Grains evaluation_grains(std::int64_t rows, const World& world) {
  Grains grains;
  grains.rows = kGrainRows;
  grains.count = (rows + kGrainRows - 1) / kGrainRows;
  grains.first = grains.count * world.rank() / world.size();
  grains.last = grains.count * (world.rank() + 1) / world.size();
  return grains;
}

/// A metric whose state is the confusion matrix. A single output is class 1 above 0.5, as in predict_classes.
MetricSpec confusion_metric(const LossSpec& loss, std::int64_t width, std::int64_t truth_width) {
  if (width == 1) {
    BinaryIoU binary;
    binary.threshold = from_logits(loss).value_or(false) ? std::numeric_limits<float>::min() : std::nextafter(0.5F, 1.F);
    return {binary};
  }
  MeanIoU classes;
  classes.num_classes = width;
  classes.sparse_y_true = truth_width == 1;
  classes.sparse_y_pred = false;
  return {classes};
}

}  // namespace

Evaluator::Evaluator(ModelState& model, const Dataset& data, const World& world, int threads)
    : model_(model),
      data_(data),
      world_(world),
      grains_(evaluation_grains(data.rows(), world)),
      pass_(*model.network, {.rows = kGrainRows, .grains = threads, .threads = threads}),
      order_(static_cast<std::size_t>(grains_.own_slots()), -1) {
  const RowRange own{grains_.first_slot(),
                     std::min(grains_.first_slot() + grains_.own_slots(), std::max(data.rows(), grains_.first_slot()))};
  for (std::int64_t row = own.first; row < own.last; ++row) order_[static_cast<std::size_t>(row - own.first)] = row;
  const auto rows = static_cast<std::size_t>(pass_.grains() * pass_.rows());
  truth_.resize(rows * static_cast<std::size_t>(data.truth_width()));
  weight_.resize(rows);
  present_.resize(rows);
  value_.resize(rows);
  probabilities_ = Buffer(static_cast<std::int64_t>(rows) * model.network->output_width());
  world.agree([&] {
    if (own.size() > 0) reader_ = data.open({own});
  });
}

void Evaluator::expect_finite() {
  world_.agree([&] {
    if (reader_) reader_->expect_finite();
  });
}

void Evaluator::mark_present(std::int64_t first_grain) {
  for (std::size_t i = 0; i < present_.size(); ++i) {
    const std::size_t slot = static_cast<std::size_t>(first_grain * kGrainRows) + i;
    present_[i] = slot < order_.size() && order_[slot] >= 0 ? 1.F : 0.F;
  }
}

void Evaluator::each(bool logits, bool truth, const std::function<void(std::int64_t, std::int64_t)>& use) {
  model_.network->prepare(kGrainRows, pass_.threads());  // statistics may have changed since
  if (reader_) reader_->begin(order_);
  for (std::int64_t g = 0; g < grains_.own(); g += pass_.grains()) {
    const std::int64_t count = std::min(pass_.grains(), grains_.own() - g);
    world_.activity().enter(Stage::validating);
    reader_->read(count * kGrainRows, pass_.target(truth ? truth_.data() : nullptr, weight_.data()));
    mark_present(g);
    pass_.forward({.logits = logits, .present = present_.data()}, count);
    if (const std::optional<RowFlaw> flaw = model_.network->take_flaw()) {
      const std::int64_t row = order_[static_cast<std::size_t>(g * kGrainRows + flaw->slot)];
      throw Error(data_.where(row, RowPart::features) + ": " + flaw->what);
    }
    use(g, count);
  }
}

/// Grain `grain` of those in pass_, of which `first_grain` of this rank is the first.
void Evaluator::score_grain(Scorer& scorer, std::int64_t first_grain, std::int64_t grain) {
  const std::int64_t width = model_.network->output_width(), truth_width = data_.truth_width();
  const std::int64_t rows = scorer.by_batch() ? kEvaluationBatch : kGrainRows;
  static_assert(kGrainRows % kEvaluationBatch == 0);
  const std::span<const std::int64_t> order = std::span(order_).subspan(static_cast<std::size_t>(first_grain * kGrainRows));
  for (std::int64_t first = grain * kGrainRows; first < (grain + 1) * kGrainRows; first += rows) {
    const float* const present = present_.data() + first;
    const LossRows block{.truth = truth_.data() + first * truth_width,
                         .weight = weight_.data() + first,
                         .input = pass_.output() + first * width,
                         .output = probabilities_.data() + first * width,
                         .delta = nullptr,
                         .value = value_.data() + first,
                         .rows = rows,
                         .width = width,
                         .truth_width = truth_width};
    LossBatch batch{.rows = std::accumulate(present, present + rows, 0.0)};
    if (batch.rows == 0) return;
    if (scorer.needs_batch()) scorer.add_to_batch(block, present, batch.sums);
    naming_rows(data_, order.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)),
                [&] { scorer.add(grains_.first + first_grain + grain, block, present, batch); });
  }
}

std::vector<double> Evaluator::score(std::vector<std::int64_t>* confusion) {
  const std::int64_t width = model_.network->output_width(), truth_width = data_.truth_width();
  std::vector<MetricSpec> metrics = model_.resolved_metrics(truth_width);
  const std::int64_t classes = width == 1 ? 2 : width;
  if (confusion != nullptr) metrics.push_back(confusion_metric(model_.options->loss, width, truth_width));
  Scorer scorer(model_.options->loss, model_.options->reduction, model_.fused(), std::move(metrics),
                {.output_width = width, .truth_width = truth_width}, grains_.count, pass_.threads());
  world_.agree([&] {
    each(model_.fused(), true, [&](std::int64_t first, std::int64_t count) {
      for_each_grain(pass_.threads(), count, [&](std::int64_t g) {
        score_grain(scorer, first, g);
        scorer.add_penalty(grains_.first + first + g, pass_.penalty({.present = present_.data()}, g));
      });
    });
  });
  ScoreSums sums = scorer.sums();
  world_.sum(sums.grains);
  world_.sum(sums.counts);
  std::vector<double> results = scorer.results(sums, penalty(*model_.network));
  if (confusion == nullptr) return results;
  results.pop_back();
  const auto counts = std::span(sums.counts).last(static_cast<std::size_t>(ExactCounts::length(classes * classes)));
  for (std::int64_t i = 0; i < classes * classes; ++i) confusion->push_back(std::llround(ExactCounts::count(counts, i)));
  return results;
}

std::vector<float> Evaluator::predict() {
  const auto width = static_cast<std::size_t>(model_.network->output_width());
  std::vector<float> outputs;
  outputs.reserve(order_.size() * width);
  each(false, false, [&](std::int64_t first, std::int64_t count) {
    const std::int64_t left = std::min(data_.rows() - (grains_.first + first) * kGrainRows, count * kGrainRows);
    const auto rows = static_cast<std::size_t>(left);
    outputs.insert(outputs.end(), pass_.output(), pass_.output() + rows * width);
  });
  return outputs;
}

}  // namespace lockstep
