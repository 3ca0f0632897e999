// The plan of a training on all ranks of a job.
#include "core/training/plan.h"

#include <gtest/gtest.h>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::world;

Sequential model_of(std::int64_t features) {
  Sequential model{Input{{features}}, Dense{.units = 12, .activation = relu}, Dense{.units = 5, .activation = softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{.learning_rate = 0.05F}});
  return model;
}

TEST(Plan, DealsABatchToAllRanks) {
  const ArrayDataset data = labelled_rows(203, 20, 5);
  for (const std::int64_t batch : {3, 50, 203}) {
    Sequential model = model_of(20);
    const TrainingPlan plan = model.plan(data, {.batch_size = batch}, world());
    EXPECT_EQ(plan.job.rank, world().rank());
    EXPECT_EQ(plan.job.ranks, world().size());
    std::array<std::int64_t, 2> sums{plan.grains.own(), plan.rows_of(world().rank())};
    world().sum(sums);
    EXPECT_EQ(sums[0], plan.grains.count);
    EXPECT_EQ(sums[1], plan.sampler.slots());
    EXPECT_EQ(plan.memory.rows, 4.0 * static_cast<double>(plan.grains.own_slots()) * (20 + 5 + 1 + 2 * (12 + 5)));
  }
}

TEST(Plan, SaysTheSameOfEveryLayerOnAllRanks) {
  const ArrayDataset data = labelled_rows(203, 20, 5);
  Sequential model = model_of(20);
  const auto exchanges = [&](const FitOptions& options) {
    const TrainingPlan plan = model.plan(data, options, world());
    const std::string own = plan.allreduce() + " " + plan.exchanges();
    for (const std::string& one : world().all_gather(own)) EXPECT_EQ(one, own);
    return own;
  };
  EXPECT_EQ(exchanges({}), "factors dense: factors, dense_1: factors");
  EXPECT_EQ(exchanges({.reproducible = true}), "factors dense: tree, dense_1: tree");
  EXPECT_EQ(exchanges({.exchange = ExchangeKind::gradients}), "shared dense: gradients, dense_1: gradients");
  EXPECT_EQ(exchanges({.allreduce = AllreduceAlgorithm::ring}), "ring dense: gradients, dense_1: gradients");
}

TEST(Plan, IsWhatFitDoes) {
  const ArrayDataset data = labelled_rows(203, 20, 5);
  for (const ExchangeKind exchange : {ExchangeKind::automatic, ExchangeKind::gradients}) {
    FitOptions options{.epochs = 2, .batch_size = 50, .validation_split = 0.25, .exchange = exchange, .verbose = 0};
    Sequential model = model_of(20), other = model_of(20);
    other.fit(data, options, world());
    const TrainingPlan plan = model.plan(data, options, world());
    options.plan = &plan;
    EXPECT_EQ(model.fit(data, options, world()).steps, plan.steps_per_epoch());
    EXPECT_EQ(model.digest(), other.digest());
  }
}

// What one rank refuses, all refuse: none is left waiting.
TEST(Plan, IsRefusedByAllRanks) {
  const ArrayDataset data = labelled_rows(203, 20, 5);
  const bool last = world().rank() + 1 == world().size();
  Sequential model = model_of(20);
  EXPECT_THROW(model.plan(data, {.validation_split = last ? 2.0 : 0.0}, world()), AgreedError);
  EXPECT_THROW(model.plan(data, {.batch_size = last ? 0 : 32}, world()), AgreedError);
  const TrainingPlan plan = model.plan(data, {.batch_size = last ? 16 : 32}, world());
  EXPECT_THROW(model.fit(data, {.batch_size = 32, .plan = &plan, .verbose = 0}, world()), AgreedError);
}

}  // namespace
}  // namespace lockstep
