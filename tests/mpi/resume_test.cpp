// A fit() that was interrupted after any step and goes on from what a checkpoint keeps ends with the bits of the one that was not
// interrupted, on the same ranks and on others.
#include <gtest/gtest.h>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::world;

/// Dropout, a regularizer (its penalty is part of the loss), momentum: all that a step depends on or leaves behind.
Sequential classifier(bool plain) {
  Sequential model{Dense{.units = 200, .activation = relu, .kernel_regularizer = {.l2 = plain ? 0 : 0.01F}}, Dropout{0.3F},
                   Dense{5, softmax}};
  model.set_seed(7);
  const OptimizerSpec optimizer = plain ? OptimizerSpec(Sgd{.learning_rate = 0.05F}) : OptimizerSpec(Adam{});
  MeanIoU iou;  // whose state is counts
  iou.num_classes = 5;
  iou.sparse_y_pred = false;
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy, {iou}, weighted({iou})}});
  model.build({9});
  return model;
}

/// What a checkpoint keeps.
struct Saved {
  std::vector<std::vector<float>> weights, slots;
  std::int64_t iterations = 0, epoch = 0, step = 0;
  EpochSums sums;
  History history;
  std::string count;
};

/// Counts steps; a stand-in for whatever callback remembers something.
class Counter final : public Callback {
 public:
  void on_train_batch_end(const FitState&) override { ++steps; }
  std::string name() const override { return "counter"; }
  std::string save_state() const override { return std::to_string(steps); }
  void load_state(const std::string& saved) override { steps = std::stoi(saved); }
  int steps = 0;
};

class StopAfter final : public Callback {
 public:
  /// Stops after this step; `epoch_end`: where an epoch ends with it, behind that epoch's end.
  StopAfter(std::int64_t step, bool epoch_end, const Counter& counter) : step_(step), epoch_end_(epoch_end), counter_(counter) {}
  void on_train_batch_end(const FitState& state) override { now_ = state.global_step; }
  Request request() noexcept override { return {.stop = now_ + (epoch_end_ ? 0 : 1) == step_}; }
  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override {
    EXPECT_TRUE(moment.stopping);
    saved.weights = state.model->get_weights();
    for (const OptimizerSlot& slot : state.model->optimizer()->slots())
      saved.slots.emplace_back(slot.values.span().begin(), slot.values.span().end());
    saved.iterations = state.model->optimizer()->iterations();
    saved.epoch = state.epoch;
    saved.step = state.step;
    saved.sums = moment.sums;
    saved.history = *state.history;
    saved.count = counter_.save_state();
    return 0;
  }
  Saved saved;

 private:
  std::int64_t step_, now_ = 0;
  bool epoch_end_;
  const Counter& counter_;
};

struct Trained {
  std::map<std::string, std::vector<double>> history;
  std::vector<std::vector<float>> weights;
  int steps = 0;
};

constexpr std::int64_t kEpochs = 3, kBatch = 40;

FitOptions options(const Dataset& validation) {
  return {.epochs = kEpochs, .batch_size = kBatch, .validation_data = &validation, .threads = 1, .verbose = 0};
}

Trained straight(const Dataset& data, const Dataset& validation, bool plain) {
  Sequential model = classifier(plain);
  Counter counter;
  FitOptions fit = options(validation);
  fit.callbacks = {&counter};
  const History history = model.fit(data, fit, World());
  return {history.history, model.get_weights(), counter.steps};
}

Saved interrupted(const Dataset& data, const Dataset& validation, bool plain, std::int64_t after, bool epoch_end, const World& on) {
  Sequential model = classifier(plain);
  Counter counter;
  StopAfter stop(after, epoch_end, counter);
  FitOptions fit = options(validation);
  fit.callbacks = {&counter, &stop};
  model.fit(data, fit, on);
  return stop.saved;
}

Trained resumed(const Dataset& data, const Dataset& validation, bool plain, const Saved& saved, const World& on) {
  Sequential model = classifier(plain);
  model.set_weights(saved.weights);
  auto& slots = model.optimizer()->slots();
  for (std::size_t i = 0; i < slots.size(); ++i) std::copy(saved.slots[i].begin(), saved.slots[i].end(), slots[i].values.data());
  model.optimizer()->set_iterations(saved.iterations);
  Counter counter;
  FitOptions fit = options(validation);
  fit.initial_epoch = saved.epoch;
  fit.initial_step = saved.step;
  fit.initial_sums = &saved.sums;
  fit.callback_states = {{"counter", saved.count}};
  fit.callbacks = {&counter};
  const History after = model.fit(data, fit, on);
  Trained trained{saved.history.history, model.get_weights(), counter.steps};
  for (const auto& [name, values] : after.history) trained.history[name].insert(trained.history[name].end(), values.begin(), values.end());
  return trained;
}

class ResumeTest : public testing::TestWithParam<bool> {};

TEST_P(ResumeTest, AfterAnyStepHasTheBitsOfTheUndisturbedRun) {
  const ArrayDataset data = labelled_rows(203, 9, 5), validation = labelled_rows(31, 9, 5);  // six steps, the last one short
  const Trained expected = straight(data, validation, GetParam());
  const World alone;
  // Within an epoch, at its last step, between two epochs, after the very last step.
  for (const auto& [after, epoch_end] :
       std::vector<std::pair<std::int64_t, bool>>{{1, false}, {6, false}, {6, true}, {11, false}, {12, true}, {18, false}}) {
    for (const auto& [first, then] : {std::pair(&world(), &world()), std::pair(&world(), &alone), std::pair(&alone, &world())}) {
      const Saved saved = interrupted(data, validation, GetParam(), after, epoch_end, *first);
      EXPECT_EQ(saved.iterations, after);
      const Trained found = resumed(data, validation, GetParam(), saved, *then);
      EXPECT_EQ(found.weights, expected.weights) << "after step " << after;
      EXPECT_EQ(found.history, expected.history) << "after step " << after;
      EXPECT_EQ(found.steps, expected.steps);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, ResumeTest, testing::Values(true, false),
                         [](const auto& instance) { return instance.param ? "plain" : "adam"; });

// Rank 0 alone has read the checkpoint, whose rate a callback may have changed.
TEST(Resume, AllRanksGoOnWithTheLearningRateOfRank0) {
  const ArrayDataset data = labelled_rows(90, 9, 5);
  const World alone;
  std::vector<std::vector<std::vector<float>>> weights;
  for (const World* on : {&alone, &world()}) {
    Sequential model = classifier(true);
    if (on->rank() == 0) model.optimizer()->set_learning_rate(0.3F);
    model.fit(data, {.epochs = 2, .batch_size = 40, .threads = 1, .verbose = 0}, *on);
    EXPECT_EQ(model.optimizer()->learning_rate(), 0.3F);
    weights.push_back(model.get_weights());
  }
  EXPECT_EQ(weights[0], weights[1]);
}

TEST(Resume, SumsOfOtherMetricsAreRefused) {
  const ArrayDataset data = labelled_rows(90, 9, 5);
  Sequential model = classifier(true);
  const EpochSums sums{{{1, 40, 2, 40, 3, 40}, {}}, 0, 40};  // of a loss and two metrics; the model has others
  EXPECT_THROW(model.fit(data, {.batch_size = 40, .initial_step = 1, .initial_sums = &sums, .verbose = 0}, world()), Error);
}

TEST(Resume, BeyondTheEndOfAnEpochIsRefused) {
  const ArrayDataset data = labelled_rows(90, 9, 5);
  Sequential model = classifier(true);
  EXPECT_THROW(model.fit(data, {.batch_size = 40, .initial_step = 4, .verbose = 0}, world()), Error);
}

}  // namespace
}  // namespace lockstep
