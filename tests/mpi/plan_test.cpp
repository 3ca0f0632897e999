// The plan of a training on all ranks of a job.
#include "core/training/plan.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

/// Bytes of the memory that the ranks of this host share, as the kernel counts it. Nothing where it does not tell: it asks for rights.
std::optional<double> shared_now() {
  std::ifstream maps("/proc/self/maps");
  double bytes = 0;
  std::set<ino_t> files;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/dev/shm/lockstep.") == std::string::npos) continue;
    struct stat status {};
    if (stat(("/proc/self/map_files/" + line.substr(0, line.find(' '))).c_str(), &status) != 0) return std::nullopt;
    if (files.insert(status.st_ino).second) bytes += 512.0 * static_cast<double>(status.st_blocks);
  }
  return bytes;
}

/// Looks at that memory before the first step and after the last one.
struct Looks final : Callback {
  void on_train_begin(const FitState& /*state*/) override { begin = shared_now(); }
  void on_train_end(const FitState& /*state*/, const Logs& /*logs*/) override { end = shared_now(); }
  std::optional<double> begin, end;
};

TEST(Plan, CountsTheSharedMemoryThatTrainingTakes) {
  const ArrayDataset data = labelled_rows(203, 20, 5);
  const auto optimizers = std::vector<OptimizerSpec>{Sgd{}, Sgd{.momentum = 0.5F}, Adam{}};
  std::vector<FitOptions> ways(4, {.epochs = 1, .batch_size = 50, .verbose = 0});
  ways[1].reproducible = true;
  ways[2].exchange = ExchangeKind::gradients;
  ways[3].allreduce = AllreduceAlgorithm::ring;
  for (const std::int64_t units : {12, 400}) {  // the wide one's columns stay with their ranks
    for (const OptimizerSpec& optimizer : optimizers) {
      for (const FitOptions& way : ways) {
        Sequential model{Input{{20}}, Dense{.units = units, .activation = relu}, BatchNormalization{}, Dense{.units = 700},
                         Dense{.units = 5, .activation = softmax}};
        model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer});
        const TrainingPlan plan = model.plan(data, way, world());
        Looks looks;
        FitOptions options = way;
        options.plan = &plan;
        options.callbacks = {&looks};
        const std::optional<double> before = shared_now();
        model.fit(data, options, world());
        if (!before || !looks.begin) GTEST_SKIP() << "no right to look at mapped files";
        EXPECT_EQ(*looks.begin - *before, plan.memory.shared) << plan.allreduce() << " " << plan.exchanges();
        EXPECT_EQ(looks.end, looks.begin) << "pages are taken while training";
      }
    }
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
