// Sequential::evaluate, predict and predict_classes: the loops are Evaluator's.
#include <algorithm>
#include <optional>

#include "cluster/host/placement.h"
#include "core/math/onednn/library.h"
#include "core/math/subnormals.h"
#include "core/network/memory_need.h"
#include "core/training/evaluator.h"
#include "core/training/model_state.h"
#include "core/training/sequential.h"

namespace lockstep {
namespace {

MemoryNeed evaluation_need(const ModelState& state, const Dataset& data) {
  return MemoryNeed::of(*state.network, 0, kEvaluationRows, data.truth_width(), false);
}

}  // namespace

Scores Sequential::evaluate(const Dataset& data, const World& world, bool confusion) {
  check_rows(data, world);
  world.agree([&] {
    if (confusion && classes() == 0) throw Error("the loss " + name_of(compile_options().loss) + " tells no classes apart", kUsage);
  });
  state_->choose_ops(world);
  const ThreadScope one(1);
  const NoSubnormals none;
  std::optional<Evaluator> evaluator;
  evaluation_need(*state_, data).allocating([&] { evaluator.emplace(*state_, data, world, threads_for_rank(world, 0)); });
  evaluator->expect_finite();
  Scores scores;
  const std::vector<double> results = evaluator->score(confusion ? &scores.confusion : nullptr);
  scores.values = {{"loss", results[0]}};
  for (std::size_t m = 0; m < state_->options->metrics.size(); ++m)
    scores.values.emplace_back(state_->options->metrics[m].name, results[1 + m]);
  return scores;
}

std::int64_t Sequential::classes() const {
  const std::int64_t outputs = state_->built().output_width();
  const LossSpec& loss = compile_options().loss;
  if (wants_sigmoid(loss) && outputs == 1) return 2;
  return has_classes(loss) && outputs > 1 ? outputs : 0;
}

std::vector<float> Sequential::predict(const Dataset& data, const World& world) {
  world.agree([&] { state_->need_input(*this, data); });
  state_->choose_ops(world);
  const ThreadScope one(1);
  const NoSubnormals none;
  std::optional<Evaluator> evaluator;
  evaluation_need(*state_, data).allocating([&] { evaluator.emplace(*state_, data, world, threads_for_rank(world, 0)); });
  std::vector<float> own;
  world.agree([&] { own = evaluator->predict(); });
  return world.all_gather(own);
}

std::vector<std::int64_t> Sequential::predict_classes(const Dataset& data, const World& world) {
  const std::vector<float> outputs = predict(data, world);
  const auto width = static_cast<std::size_t>(output_width());
  std::vector<std::int64_t> classes;
  for (std::size_t i = 0; i < outputs.size(); i += width) {
    const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(i), last = first + static_cast<std::ptrdiff_t>(width);
    classes.push_back(width == 1 ? (*first > 0.5F ? 1 : 0) : std::max_element(first, last) - first);
  }
  return classes;
}

double Scores::operator[](const std::string& name) const {
  std::string names;
  for (const auto& [key, value] : values) {
    if (key == name) return value;
    names += (names.empty() ? "" : ", ") + key;
  }
  throw Error("no score named '" + name + "'; there are: " + names, kUsage);
}

}  // namespace lockstep
