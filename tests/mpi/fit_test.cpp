// The promises about numbers: however many ranks, the same batches, the same losses, the same weights within rounding, and every row
// exactly once. Each test trains on the job's ranks and, beside it, on every rank alone, and compares.
#include <gtest/gtest.h>

#include <cmath>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::target_rows;
using test::world;

Sequential classifier(std::int64_t classes, float dropout = 0) {
  Sequential model{Dense{16, relu}, Dense{9, tanh_}, Dropout{dropout}, Dense{classes, softmax}};
  model.set_seed(3);
  model.compile(
      {.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{.learning_rate = 0.05F, .momentum = 0.5F}, .metrics = {accuracy}});
  return model;
}

struct Trained {
  History history;
  std::vector<std::vector<float>> weights;
};

Trained train(Sequential model, const Dataset& data, FitOptions options, const World& on) {
  options.verbose = 0;
  options.threads = 1;
  Trained trained{model.fit(data, options, on), {}};
  trained.weights = model.get_weights();
  return trained;
}

/// Nothing is summed in an order that depends on ranks when they are on one host.
void expect_same(const Trained& all, const Trained& alone) {
  EXPECT_EQ(all.history.history, alone.history.history);
  EXPECT_EQ(all.weights, alone.weights);
}

void expect_near(const Trained& all, const Trained& alone) {
  ASSERT_EQ(all.history.epoch, alone.history.epoch);
  for (const auto& [name, values] : alone.history.history) {
    for (std::size_t e = 0; e < values.size(); ++e) {
      EXPECT_NEAR(all.history.history.at(name)[e], values[e], 1e-4 * std::abs(values[e]) + 1e-6) << name << " of epoch " << e;
    }
  }
  for (std::size_t w = 0; w < alone.weights.size(); ++w) {
    for (std::size_t i = 0; i < alone.weights[w].size(); ++i) ASSERT_NEAR(all.weights[w][i], alone.weights[w][i], 2e-4);
  }
}

struct Case {
  std::int64_t rows, batch, shards;
};
class FitTest : public testing::TestWithParam<Case> {};

TEST_P(FitTest, GivesTheCurveOfOneRank) {
  const auto [rows, batch, shards] = GetParam();
  const ArrayDataset data = labelled_rows(rows, 7, 4);
  const FitOptions options{.epochs = 3, .batch_size = batch, .shards = shards};
  expect_same(train(classifier(4), data, options, world()), train(classifier(4), data, options, World()));
}

// Row counts that divide nothing; fewer rows than ranks; batches smaller than the number of ranks; more shards than rows.
INSTANTIATE_TEST_SUITE_P(Sizes, FitTest,
                         testing::Values(Case{203, 32, 0}, Case{97, 16, 0}, Case{101, 3, 0}, Case{3, 8, 0}, Case{1, 1, 0},
                                         Case{250, 64, 24}, Case{300, 100, 7}, Case{65, 2, 0}));

/// Rows of another data set, until a read of one rank fails.
class FailingRows final : public Dataset {
 public:
  FailingRows(const Dataset& rows, bool fails) : rows_(rows), fails_(fails) {}
  std::int64_t rows() const override { return rows_.rows(); }
  Shape sample_shape() const override { return rows_.sample_shape(); }
  std::int64_t truth_width() const override { return rows_.truth_width(); }
  std::string description() const override { return rows_.description(); }
  std::unique_ptr<RowReader> open(std::vector<RowRange> ranges) const override {
    return std::make_unique<Reader>(rows_.open(std::move(ranges)), fails_);
  }

 private:
  class Reader final : public RowReader {
   public:
    Reader(std::unique_ptr<RowReader> rows, bool fails) : rows_(std::move(rows)), fails_(fails) {}
    void begin(std::span<const std::int64_t> order) override { rows_->begin(order); }
    void read(std::int64_t count, const RowTarget& target) override {
      if (fails_ && ++reads_ == 3) throw Error("the disk is gone");
      rows_->read(count, target);
    }

   private:
    std::unique_ptr<RowReader> rows_;
    bool fails_;
    int reads_ = 0;
  };
  const Dataset& rows_;
  bool fails_;
};

TEST(Fit, RowsThatOneRankCannotReadAreAnErrorOfAll) {
  const ArrayDataset data = labelled_rows(150, 7, 4);
  const int failing = world().size() - 1;
  for (const ExchangeKind exchange : {ExchangeKind::factors, ExchangeKind::gradients}) {
    Sequential model = classifier(4);
    try {
      model.fit(FailingRows(data, world().rank() == failing),
                {.epochs = 2, .batch_size = 40, .threads = 1, .exchange = exchange, .verbose = 0}, world());
      FAIL() << "no error";
    } catch (const AgreedError& error) {
      EXPECT_EQ(error.failing_rank(), failing);
      EXPECT_STREQ(error.what(), "the disk is gone");
    }
    EXPECT_EQ(model.optimizer()->iterations(), 3);
  }
}

TEST(Fit, EveryAllreduceAgrees) {
  const ArrayDataset data = labelled_rows(150, 7, 4);
  using enum AllreduceAlgorithm;
  for (const AllreduceAlgorithm algorithm : {ring, mpi, shared, halving_doubling, recursive_doubling}) {
    const FitOptions options{.epochs = 2, .batch_size = 40, .allreduce = algorithm};
    expect_near(train(classifier(4), data, options, world()), train(classifier(4), data, {.epochs = 2, .batch_size = 40}, World()));
  }
}

TEST(Fit, SumsBesideBackwardGiveTheSameCurve) {
  const ArrayDataset data = labelled_rows(90, 7, 4);
  const auto wide = [] {  // several buckets of gradients
    Sequential model{Dense{350, relu}, Dense{300, tanh_}, Dense{200, relu}, Dense{4, softmax}};
    model.set_seed(5);
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{.learning_rate = 0.05F}, .metrics = {accuracy}});
    return model;
  };
  const Trained alone = train(wide(), data, {.epochs = 2, .batch_size = 40}, World());
  const auto with = [&](ExchangeProgress progress) {
    const FitOptions options{.epochs = 2, .batch_size = 40, .allreduce = AllreduceAlgorithm::ring, .progress = progress};
    return train(wide(), data, options, world());
  };
  const Trained poll = with(ExchangeProgress::poll);
  expect_near(poll, alone);
  expect_near(with(ExchangeProgress::none), alone);
  expect_same(with(ExchangeProgress::thread), poll);
}

TEST(Fit, UnshuffledDropoutWeightsValidationAndClassWeightsAreThoseOfOneRank) {
  const ArrayDataset data = labelled_rows(150, 7, 4, true), validation = labelled_rows(31, 7, 4);
  const FitOptions options{
      .epochs = 2, .batch_size = 24, .validation_data = &validation, .shuffle = false, .class_weight = {{0, 2.F}, {3, 0.5F}}};
  expect_same(train(classifier(4, 0.3F), data, options, world()), train(classifier(4, 0.3F), data, options, World()));
}

TEST(Fit, RegressionWithAdamAndRegularizersIsThatOfOneRank) {
  const auto make = [] {
    Sequential model{Normalization{}, Dense{.units = 12, .activation = relu, .kernel_regularizer = {.l2 = 0.01F}}, Dense{2}};
    model.compile({.loss = MeanSquaredError{},
                   .optimizer = Adam{.options = {.global_clipnorm = 1}},
                   .metrics = {metric_from_name("RootMeanSquaredError")}});
    return model;
  };
  const ArrayDataset data = target_rows(111, 5, 2);
  const FitOptions options{.epochs = 3, .batch_size = 32, .validation_split = 0.2};
  expect_same(train(make(), data, options, world()), train(make(), data, options, World()));
}

TEST(Fit, AllRanksHoldTheSameWeights) {
  Sequential model = classifier(4);
  model.fit(labelled_rows(90, 7, 4), {.epochs = 1, .batch_size = 30, .threads = 1, .verbose = 0}, world());
  const std::string digest = std::to_string(model.digest());
  EXPECT_EQ(world().broadcast(digest), digest);
}

TEST(Evaluate, HasTheBitsOfOneRank) {
  for (const std::int64_t rows : {1, 3, 64, 65, 1000}) {
    const ArrayDataset data = labelled_rows(rows, 7, 4);
    Sequential model = classifier(4);
    const Scores all = model.evaluate(data, world()), alone = model.evaluate(data, World());
    EXPECT_EQ(all.values, alone.values) << rows;
  }
}

TEST(Predict, GivesEveryRowOnceInOrderOnEveryRank) {
  for (const std::int64_t rows : {1, 3, 64, 65, 333}) {
    const ArrayDataset data = labelled_rows(rows, 7, 4);
    Sequential model = classifier(4);
    const std::vector<float> all = model.predict(data, world());
    EXPECT_EQ(all.size(), static_cast<std::size_t>(rows * 4));
    EXPECT_EQ(all, model.predict(data, World()));
  }
}

TEST(Adapt, HasTheBitsOfOneRankAndReachesTheModel) {
  const ArrayDataset data = target_rows(2777, 5, 1);
  Normalization all, alone;
  Sequential model{Input{{5}}, all, Dense{1}};
  all.adapt(data, world());
  alone.adapt(data, World());
  EXPECT_EQ(all.statistics->mean, alone.statistics->mean);
  EXPECT_EQ(all.statistics->variance, alone.statistics->variance);
  model.build({5});
  EXPECT_EQ(model.get_weights()[0], alone.statistics->mean) << "the layer had been added before adapt";
}

/// One rank believes that it has made a step more than the others.
class SkipAhead final : public Callback {
 public:
  SkipAhead(Sequential& model, int rank) : model_(model), rank_(rank) {}
  void on_train_batch_end(const FitState& state) override {
    if (world().rank() == rank_ && state.epoch == 1 && state.step == 2) model_.optimizer()->count_step();
  }

 private:
  Sequential& model_;
  int rank_;
};

TEST(Fit, EndsOnAllRanksWhereOneIsAtAnotherStep) {
  if (world().size() == 1) return;
  const ArrayDataset data = labelled_rows(57, 20, 5);
  const int other = world().size() - 1;
  for (const ExchangeKind exchange : {ExchangeKind::factors, ExchangeKind::gradients}) {
    Sequential model = classifier(5);
    SkipAhead skip(model, other);
    try {
      model.fit(data, {.epochs = 3, .batch_size = 10, .threads = 1, .exchange = exchange, .callbacks = {&skip}, .verbose = 0}, world());
      FAIL() << "nobody has noticed";
    } catch (const AgreedError& error) {
      EXPECT_EQ(error.failing_rank(), other);
      const std::string text = error.what(), start = "the step differs: rank " + std::to_string(other) + " on ";
      EXPECT_EQ(text.substr(0, start.size()), start);
      EXPECT_NE(text.find("10 updates"), std::string::npos) << text;  // 6 of the first epoch, 3 of the second, and one that never was
      EXPECT_NE(text.find(", but rank 0 on "), std::string::npos) << text;
      EXPECT_NE(text.find(" 9 updates"), std::string::npos) << text;
    }
  }
}

/// Asks for a stop on one rank only.
class StopOnRank final : public Callback {
 public:
  StopOnRank(int rank, std::int64_t step) : rank_(rank), step_(step) {}
  void on_train_batch_end(const FitState& state) override { now_ = state.global_step; }
  Request request() noexcept override { return {.stop = world().rank() == rank_ && now_ >= step_}; }
  double on_checkpoint(const FitState& state, const CheckpointMoment&) override {
    stopped_ = state.global_step;
    return 0;
  }
  std::int64_t stopped_ = -1;

 private:
  int rank_;
  std::int64_t step_, now_ = 0;
};

TEST(Fit, AStopAskedForOnOneRankEndsAllAfterTheSameStep) {
  for (int rank = 0; rank < world().size(); ++rank) {
    StopOnRank stop(rank, 5);
    Sequential model = classifier(4);
    model.fit(labelled_rows(90, 7, 4), {.epochs = 10, .batch_size = 30, .threads = 1, .callbacks = {&stop}, .verbose = 0}, world());
    EXPECT_EQ(stop.stopped_, 6);
  }
}

/// Asks for a stop on one rank, from the end of an epoch on.
class StopAtEpochEnd final : public Callback {
 public:
  StopAtEpochEnd(int rank, std::int64_t epoch) : rank_(rank), epoch_(epoch) {}
  void on_epoch_end(const FitState& state, Logs&) override { ended_ = state.epoch == epoch_; }
  Request request() noexcept override {
    return {.stop = ended_ && world().rank() == rank_, .interrupt = ended_ && world().rank() == rank_};
  }
  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override {
    ++checkpoints_;
    EXPECT_TRUE(moment.stopping);
    EXPECT_TRUE(state.interrupted);
    EXPECT_EQ(state.epoch, epoch_ + 1);
    EXPECT_EQ(state.step, 0);
    EXPECT_TRUE(moment.sums.scores.grains.empty());
    return 0;
  }
  int checkpoints_ = 0;

 private:
  int rank_;
  std::int64_t epoch_;
  bool ended_ = false;
};

TEST(Fit, AStopAskedForAtAnEpochsEndEndsThere) {
  for (int rank = 0; rank < world().size(); ++rank) {
    StopAtEpochEnd stop(rank, 1);
    Sequential model = classifier(4);
    const History history =
        model.fit(labelled_rows(50, 7, 4), {.epochs = 5, .batch_size = 30, .threads = 1, .callbacks = {&stop}, .verbose = 0}, world());
    EXPECT_EQ(stop.checkpoints_, 1);
    EXPECT_EQ(history.epoch, (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(model.optimizer()->iterations(), 4);  // two steps an epoch
    EXPECT_EQ(model.digest(), history.digests.back());
  }
}

/// Asks for a checkpoint on one rank at the end of every epoch.
class CheckpointAtEpochEnd final : public Callback {
 public:
  explicit CheckpointAtEpochEnd(int rank) : rank_(rank) {}
  void on_epoch_begin(const FitState& state) override {
    EXPECT_EQ(state.step, 0);
    over_ = false;
  }
  void on_epoch_end(const FitState&, Logs& logs) override {
    over_ = true;
    logs["extra"] = 3;
  }
  Request request() noexcept override { return {.checkpoint = over_ && world().rank() == rank_}; }
  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override {
    EXPECT_FALSE(moment.stopping);
    EXPECT_FALSE(state.interrupted);
    EXPECT_EQ(state.step, 0);
    EXPECT_EQ(state.samples, 0);
    EXPECT_TRUE(moment.sums.scores.grains.empty());
    EXPECT_EQ(state.history->history.at("extra").size(), static_cast<std::size_t>(state.epoch));
    EXPECT_EQ(state.model->digest(), state.history->digests.back()) << "the weights are not whole";
    epochs_.push_back(state.epoch);
    return 0.25;
  }
  void on_train_end(const FitState& state, const Logs&) override {
    EXPECT_EQ(state.epoch, 2);
    EXPECT_EQ(state.step, state.steps_per_epoch);
    EXPECT_EQ(state.profile.checkpoint, 0.75);
  }
  std::vector<std::int64_t> epochs_;

 private:
  int rank_;
  bool over_ = false;
};

TEST(Fit, ACheckpointAskedForAtAnEpochsEndIsTakenThere) {
  for (int rank = 0; rank < world().size(); ++rank) {
    CheckpointAtEpochEnd checkpoint(rank);
    Sequential model = classifier(4);
    model.fit(labelled_rows(50, 7, 4), {.epochs = 3, .batch_size = 30, .threads = 1, .callbacks = {&checkpoint}, .verbose = 0}, world());
    EXPECT_EQ(checkpoint.epochs_, (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(model.optimizer()->iterations(), 6);
  }
}

}  // namespace
}  // namespace lockstep
