#include "core/training/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/training/sequential.h"
#include "support/random_data.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using testing::expect_error;

/// 20 x 10 and 10 x 3 weights; with the biases, padded to cache lines, 224 and 48 floats.
constexpr std::int64_t kFloats = 224 + 48;

Sequential small(const OptimizerSpec& optimizer = Adam{}) {
  Sequential model{Input{{20}}, Dense{.units = 10, .activation = relu}, Dense{.units = 3, .activation = softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer});
  return model;
}

/// Plans of `small` for one rank of a job.
TrainingPlan planned(const FitOptions& options, const JobShape& job = {}, std::int64_t rows = 203) {
  return small().plan(labelled_rows(rows, 20, 3), options, job);
}

TEST(Plan, SplitsRows) {
  EXPECT_EQ(planned({}).rows.train.size(), 203);
  EXPECT_EQ(planned({}).rows.validation.size(), 0);
  const TrainingPlan plan = planned({.batch_size = 32, .validation_split = 0.1});
  EXPECT_EQ(plan.rows.train.last, 182);  // floor(203 x 0.9)
  EXPECT_EQ(plan.rows.validation.first, 182);
  EXPECT_EQ(plan.rows.validation.last, 203);
  EXPECT_EQ(plan.steps_per_epoch(), 6);
  expect_error([] { planned({.validation_split = 0.001}, {}, 1); }, {"validation_split", "no row"});
}

TEST(Plan, CutsABatchIntoGrains) {
  const auto grains = [](std::int64_t batch, int rank, int ranks) {
    const Grains g = planned({.batch_size = batch}, {.rank = rank, .ranks = ranks}).grains;
    return std::vector<std::int64_t>{g.rows, g.count, g.first, g.last};
  };
  using Expected = std::vector<std::int64_t>;
  EXPECT_EQ(grains(5, 0, 1), (Expected{8, 1, 0, 1}));
  EXPECT_EQ(grains(32, 0, 1), (Expected{16, 2, 0, 2}));
  EXPECT_EQ(grains(200, 0, 3), (Expected{16, 13, 0, 4}));
  EXPECT_EQ(grains(200, 1, 3), (Expected{16, 13, 4, 8}));
  EXPECT_EQ(grains(200, 2, 3), (Expected{16, 13, 8, 13}));
}

TEST(Plan, KnowsTheRowsOfEveryRank) {
  const TrainingPlan plan = planned({.batch_size = 200}, {.rank = 1, .ranks = 3});
  EXPECT_EQ(plan.grains_of(1).first, plan.grains.first);
  EXPECT_EQ(plan.rows_of(0), 64);
  EXPECT_EQ(plan.rows_of(1), 64);
  EXPECT_EQ(plan.rows_of(2), 72);  // the last grain has 8 rows
}

TEST(Plan, CountsMemory) {
  constexpr double kRow = 4 * (20 + 3 + 1 + 2 * (10 + 3));  // input, probabilities, truth; values and deltas of both layers
  const MemoryNeed alone = planned({.batch_size = 32}).memory;
  EXPECT_EQ(alone.parameters, 243);
  EXPECT_EQ(alone.weights, 4 * 3 * kFloats);  // and two slots of Adam
  EXPECT_EQ(alone.taken, alone.weights);
  EXPECT_EQ(alone.rows, 32 * kRow);
  EXPECT_EQ(alone.shared, 0);
  const MemoryNeed second = planned({.batch_size = 32}, {.rank = 1, .ranks = 2, .local_ranks = 2}).memory;
  EXPECT_EQ(second.rows, 16 * kRow);
  EXPECT_EQ(second.of_host(2), alone.of_host(1));
}

constexpr double kPage = 4096;
double pages(double floats) { return std::max(1.0, std::ceil(4 * floats / kPage)) * kPage; }
/// What two ranks take for a segment of the first.
double of_first(double floats) { return pages(floats) + kPage; }

TEST(Plan, CountsSharedMemoryInPages) {
  const JobShape two{.rank = 1, .ranks = 2, .local_ranks = 2};
  const double barrier = 2 * kPage, gradient = pages(kFloats), flags = 2 * of_first(2 * 16), copies = 2 * pages(kFloats),
               slots = 2 * of_first(kFloats), rows = of_first(32 * 20) + 2 * of_first(32 * 10) + 2 * of_first(32 * 3) + of_first(0);
  EXPECT_EQ(planned({.batch_size = 32}, two).memory.shared, barrier + gradient + flags + copies + slots + rows);
}

TEST(Plan, CountsNoGradientThatGoesIntoTheWeights) {
  const JobShape two{.rank = 1, .ranks = 2, .local_ranks = 2};
  const auto wide = [&](const OptimizerSpec& optimizer) {
    Sequential model{Input{{20}}, Dense{.units = 100, .activation = relu}, Dense{.units = 1000}, Dense{.units = 3}};
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer});
    return model.plan(labelled_rows(203, 20, 3), {}, two).memory.shared;
  };
  const double weights = 20 * 100 + 112 + 100 * 1000 + 1008 + 1000 * 3 + 16;
  const double saved = wide(Sgd{.momentum = 0.5F}) - wide(Sgd{}) - of_first(weights);  // and the momentum
  EXPECT_GT(saved, 0.95 * 4 * weights);
  EXPECT_LT(saved, 4 * weights);
}

TEST(Plan, CountsSharedMemoryOfSumsOfGradients) {
  const JobShape two{.rank = 1, .ranks = 2, .local_ranks = 2};
  const auto shared = [&](const FitOptions& options) { return planned(options, two).memory.shared; };
  const double own = 2 * (2 * kPage + 1024 * 1024);  // the barrier, slots and staging
  EXPECT_EQ(shared({.exchange = ExchangeKind::gradients}), own + 2 * pages(kFloats + 16));
  EXPECT_EQ(shared({.allreduce = AllreduceAlgorithm::ring}), 0);
  // In a tree both layers: 2 grains, a part of the sum for each rank.
  EXPECT_EQ(shared({.batch_size = 32, .reproducible = true}) - shared({.batch_size = 32}), of_first(2 * 224) + of_first(2 * 48));
}

TEST(Plan, SaysWhatIsExchangedOfALayer) {
  const auto exchanges = [](const FitOptions& options, int hosts = 1) {
    return planned(options, {.ranks = 2, .hosts = hosts, .local_ranks = 3 - hosts}).exchanges();
  };
  EXPECT_EQ(exchanges({}), "dense: factors, dense_1: factors");
  EXPECT_EQ(exchanges({}, 2), "dense: gradients, dense_1: gradients");                 // 32 (30 + 13) >= 272
  EXPECT_EQ(exchanges({.batch_size = 5}, 2), "dense: gradients, dense_1: gradients");  // 8 x 43
  EXPECT_EQ(exchanges({.exchange = ExchangeKind::factors}, 2), "dense: factors, dense_1: factors");
  EXPECT_EQ(exchanges({.reproducible = true}, 2), "dense: tree, dense_1: tree");  // 32 x 30 >= 200, 32 x 13 >= 30
  EXPECT_EQ(exchanges({.allreduce = AllreduceAlgorithm::ring}), "dense: gradients, dense_1: gradients");
  expect_error([&] { exchanges({.allreduce = AllreduceAlgorithm::ring, .reproducible = true}); }, {"reproducible", "allreduce"});
}

TEST(Plan, NamesTheAllreduce) {
  const JobShape two{.ranks = 2, .local_ranks = 2};
  EXPECT_EQ(planned({}, two).allreduce(), "factors");
  EXPECT_EQ(planned({.exchange = ExchangeKind::gradients}, two).allreduce(), "shared");
  EXPECT_EQ(planned({.allreduce = AllreduceAlgorithm::recursive_doubling}, two).allreduce(), "recursive-doubling");
}

TEST(Plan, CountsWhatARankSends) {
  const auto sent = [](const FitOptions& options, const JobShape& job) { return planned(options, job).cost.sent; };
  constexpr double kFlags = 16;
  EXPECT_EQ(sent({}, {}), 0);
  EXPECT_EQ(sent({}, {.ranks = 4, .local_ranks = 4}), 0);
  EXPECT_EQ(sent({.exchange = ExchangeKind::gradients}, {.ranks = 4, .local_ranks = 4}), 0);  // through shared memory
  const JobShape three{.rank = 1, .ranks = 3, .hosts = 3};
  EXPECT_DOUBLE_EQ(sent({.allreduce = AllreduceAlgorithm::ring}, three), 4 * (kFloats + kFlags) * 4 / 3);
  EXPECT_EQ(sent({.allreduce = AllreduceAlgorithm::recursive_doubling}, three), 4 * (kFloats + kFlags) * 3);
  // 13 grains of 16 rows, of which the second rank has 4, to two other hosts.
  EXPECT_EQ(sent({.batch_size = 200, .exchange = ExchangeKind::factors}, three), 2 * 4 * (4 * 16 * (30 + 13) + kFlags));
  // Grains 4 to 7 are one node of the tree.
  EXPECT_EQ(sent({.batch_size = 200, .reproducible = true}, three), 2 * 4 * (kFloats + kFlags));
}

TEST(Plan, CountsOperations) {
  constexpr double kForward = 2 * (20 * 10 + 10 * 3), kWeights = kForward,
                   kInputs = 2 * 10 * 3;  // the first layer's input needs no gradient
  EXPECT_EQ(planned({.batch_size = 32}).cost.operations, 32 * (kForward + kWeights + kInputs));
  EXPECT_EQ(planned({.batch_size = 5}).cost.operations, 8 * (kForward + kWeights + kInputs));  // empty slots are computed, too
  const JobShape hosts{.ranks = 2, .hosts = 2};                                                // each forms the whole gradient
  EXPECT_EQ(planned({.batch_size = 32, .exchange = ExchangeKind::factors}, hosts).cost.operations,
            32 * (kForward + 2 * kWeights + kInputs));
  EXPECT_EQ(planned({.batch_size = 32, .exchange = ExchangeKind::gradients}, hosts).cost.operations, 32 * (kForward + kWeights + kInputs));
}

TEST(Plan, SaysWhatComputesALayer) {
  const TrainingPlan plan = planned({});
  EXPECT_EQ(plan.ops.size(), 2U);
  EXPECT_EQ(plan.computed_by(), "dense, dense_1: " + plan.ops[0].computed_by);
  EXPECT_TRUE(plan.ops[0].computed_by.starts_with("own kernels, ")) << plan.ops[0].computed_by;
}

TEST(Plan, IsWhatFitDoes) {
  const ArrayDataset data = labelled_rows(203, 20, 3);
  const FitOptions options{.batch_size = 32, .validation_split = 0.1, .verbose = 0};
  Sequential model = small(), other = small();
  const TrainingPlan plan = model.plan(data, options);
  FitOptions with = options;
  with.plan = &plan;
  const History history = model.fit(data, with);
  EXPECT_EQ(history.steps, plan.steps_per_epoch());
  other.fit(data, options);
  EXPECT_EQ(model.digest(), other.digest());
  with.batch_size = 16;
  expect_error([&] { model.fit(data, with); }, {"FitOptions::plan", "Sequential::plan()"});
  with.batch_size = 32;
  expect_error([&] { model.fit(labelled_rows(202, 20, 3), with); }, {"FitOptions::plan"});
  expect_error([&] { model.fit(labelled_rows(203, 30, 3), with); }, {"(30,)", "(20,)"});
  const ArrayDataset wide = labelled_rows(31, 30, 3);
  FitOptions validated = with;
  validated.validation_data = &wide;
  expect_error([&] { model.fit(data, validated); }, {"(30,)", "(20,)"});
  FitOptions ordered = with;
  ordered.shuffle = false;
  expect_error([&] { model.fit(data, ordered); }, {"FitOptions::plan"});
}

}  // namespace
}  // namespace lockstep
