#include "core/training/evaluator.h"

#include <algorithm>

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

std::vector<double> Evaluator::score() {
  Scorer scorer(model_.options->loss, model_.fused(), model_.resolved_metrics(data_.truth_width()), grains_.count);
  const std::int64_t width = model_.network->output_width(), truth_width = data_.truth_width();
  world_.agree([&] {
    each(model_.fused(), true, [&](std::int64_t first, std::int64_t count) {
      for_each_grain(pass_.threads(), count, [&](std::int64_t g) {
        const std::int64_t row = g * kGrainRows;
        naming_rows(data_, std::span(order_).subspan(static_cast<std::size_t>(first * kGrainRows + row), kGrainRows), [&] {
          scorer.add(grains_.first + first + g,
                     {.truth = truth_.data() + row * truth_width,
                      .weight = weight_.data() + row,
                      .input = pass_.output() + row * width,
                      .output = probabilities_.data() + row * width,
                      .delta = nullptr,
                      .value = value_.data() + row,
                      .rows = kGrainRows,
                      .width = width,
                      .truth_width = truth_width},
                     present_.data() + row);
          scorer.add_penalty(grains_.first + first + g, pass_.penalty({.present = present_.data()}, g));
        });
      });
    });
  });
  world_.sum(scorer.pairs());
  return scorer.results(scorer.total(), penalty(*model_.network));
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
