#include "io/checkpoint/writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>

#include "io/checkpoint/folder.h"
#include "io/keras/weights.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace lockstep {
namespace {

using testing::small_data;
using testing::small_model;
using testing::TempDir;
using testing::trained_model;

void train(Sequential& model) { model.fit(small_data(22), {.epochs = 1, .batch_size = 8, .verbose = 0}); }

CheckpointState at(std::int64_t step) { return {.global_step = step}; }

TEST(WeightsSnapshot, IsTheFileOfTheModelAtEveryCopy) {
  for (const OptimizerSpec& optimizer :
       {OptimizerSpec(Sgd{}), OptimizerSpec(Adam{.amsgrad = true}), OptimizerSpec(RMSprop{.momentum = 0.5F})}) {
    Sequential model = trained_model(optimizer);
    WeightsSnapshot snapshot(model);
    EXPECT_EQ(snapshot.bytes(), weights_image(model, "image"));
    train(model);
    model.optimizer()->set_learning_rate(0.125F);
    EXPECT_NE(snapshot.bytes(), weights_image(model, "image")) << "a snapshot does not follow the model";
    snapshot.copy(model);
    EXPECT_EQ(snapshot.bytes(), weights_image(model, "image"));
  }
}

TEST(WeightsSnapshot, FollowsWeightsThatAreNotTrained) {
  Sequential model{Input{{2, 3}}, Normalization{}, Flatten{}, Dense{4}, BatchNormalization{}, Dense{3, softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{}});
  WeightsSnapshot snapshot(model);
  train(model);
  EXPECT_NE(model.get_weights()[7][0], 0.F) << "the moving mean has not moved";
  snapshot.copy(model);
  EXPECT_EQ(snapshot.bytes(), weights_image(model, "image"));
}

TEST(WeightsSnapshot, SeesEveryNumberThatIsNotFinite) {
  Sequential model = trained_model(Adam{});
  WeightsSnapshot snapshot(model);
  EXPECT_TRUE(snapshot.finite());
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (const WeightArray& array : weight_arrays(model)) {
      for (float* value : {&array.values.front(), &array.values.back()}) {
        const float good = std::exchange(*value, bad);
        snapshot.copy(model);
        EXPECT_FALSE(snapshot.finite()) << array.dataset;
        *value = good;
      }
    }
  }
  snapshot.copy(model);
  EXPECT_TRUE(snapshot.finite());
}

/// What a writer tells, and a gate that holds it at its first event.
struct Told {
  std::vector<CheckpointInfo> written;
  std::vector<std::string> warnings, failures;
  std::function<void()> at_warning = [] {};
  CheckpointWriter::Events events() {
    return {[this](const CheckpointInfo& info, double) { written.push_back(info); },
            [this](const std::string& what) {
              warnings.push_back(what);
              at_warning();
            },
            [this](const std::string& what) { failures.push_back(what); }};
  }
};

CheckpointWriter::Options quick(std::size_t tries, std::int64_t newest = 9) {
  CheckpointWriter::Options options;
  options.keep.newest = newest;
  options.retry_after = std::vector<std::chrono::milliseconds>(tries);
  return options;
}

TEST(CheckpointWriter, WritesTheStateOfItsCallWhileTheModelGoesOn) {
  TempDir dir;
  Told told;
  Sequential model = trained_model(Adam{});
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  CheckpointWriter::Events events = told.events();
  const auto count = events.written;
  events.written = [&](const CheckpointInfo& info, double seconds) {
    if (told.written.empty()) gate.wait();  // still busy with the first one
    count(info, seconds);
  };
  CheckpointWriter writer(dir.path(), model, quick(0), std::move(events));
  const std::vector<std::vector<float>> first = model.get_weights();
  writer.save(model, at(6));
  EXPECT_TRUE(writer.busy());
  train(model);
  EXPECT_TRUE(writer.busy());
  const std::vector<std::vector<float>> second = model.get_weights();
  open.set_value();
  writer.save(model, at(9));  // waits for the first
  train(model);
  writer.wait();
  EXPECT_FALSE(writer.busy());
  EXPECT_EQ(writer.failure(), "");
  ASSERT_EQ(told.written.size(), 2U);
  EXPECT_EQ(load_checkpoint_model(told.written[0].path).get_weights(), first);
  EXPECT_EQ(load_checkpoint_model(told.written[1].path).get_weights(), second);
  Sequential again = small_model(Adam{});
  EXPECT_TRUE(load_checkpoint(told.written[1].path, again).healthy);
  EXPECT_EQ(again.optimizer()->iterations(), 9);
}

TEST(CheckpointWriter, ItsEndWaitsForWhatIsBeingWritten) {
  TempDir dir;
  Told told;
  Sequential model = trained_model(Sgd{});
  {
    CheckpointWriter writer(dir.path(), model, quick(0), told.events());
    writer.save(model, at(1));
  }
  EXPECT_EQ(told.written.size(), 1U);
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 1);
}

TEST(CheckpointWriter, WeightsThatAreNotFiniteAreNotHealthy) {
  TempDir dir;
  Told told;
  Sequential model = trained_model(Sgd{});
  CheckpointWriter writer(dir.path(), model, quick(0, 1), told.events());
  writer.save(model, at(1));
  weight_arrays(model).front().values[0] = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t step = 2; step < 5; ++step) writer.save(model, at(step));
  writer.wait();
  std::vector<std::int64_t> steps;
  for (const CheckpointInfo& info : list_checkpoints(dir.path())) steps.push_back(info.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 4}));
  EXPECT_FALSE(verify_checkpoint(dir / "checkpoints/step-00000004").healthy);
}

/// A run directory that is not there, as after a network file system has lost its mount: it may be back at the next try.
class FolderGone {
 public:
  explicit FolderGone(const TempDir& dir) : folder_(dir.path()), aside_(dir.path() + ".aside") { std::filesystem::rename(folder_, aside_); }
  ~FolderGone() { std::filesystem::rename(aside_, folder_); }
  FolderGone(const FolderGone&) = delete;
  FolderGone& operator=(const FolderGone&) = delete;

 private:
  std::filesystem::path folder_, aside_;
};

TEST(CheckpointWriter, WhatMayBeGoneAtTheNextTryIsTriedAgain) {
  TempDir dir;
  Told told;
  Sequential model = trained_model(Sgd{});
  CheckpointWriter writer(dir.path(), model, quick(3), told.events());
  auto trouble = std::make_unique<FolderGone>(dir);
  told.at_warning = [&] {
    if (told.warnings.size() == 2) trouble.reset();
  };
  writer.save(model, at(1));
  writer.wait();
  ASSERT_EQ(told.warnings.size(), 2U);
  EXPECT_NE(told.warnings[0].find("No such file or directory; trying again in 0.0 s"), std::string::npos) << told.warnings[0];
  EXPECT_TRUE(told.failures.empty());
  EXPECT_EQ(told.written.size(), 1U);
  trouble = std::make_unique<FolderGone>(dir);
  told.at_warning = [] {};
  writer.save(model, at(2));
  writer.wait();
  trouble.reset();
  EXPECT_EQ(told.warnings.size(), 5U);
  ASSERT_EQ(told.failures.size(), 1U);
  EXPECT_EQ(writer.failure(), told.failures[0]);
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 1);
}

TEST(CheckpointWriter, AFullDiskIsToldWithNeededAndFreeBytesAndSurvived) {
  TempDir dir;
  Told told;
  Sequential model = trained_model(Adam{});
  CheckpointWriter writer(dir.path(), model, quick(3), told.events());
  writer.save(model, at(1));
  writer.wait();
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // then write() fails with EFBIG, as it does with ENOSPC
  const rlimit tight{4096, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  writer.save(model, at(2));
  writer.wait();
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(told.warnings.empty()) << "room does not come back by waiting";
  ASSERT_EQ(told.failures.size(), 1U);
  for (const std::string& part : {std::string("step 2"), dir / "checkpoints", std::string("needs "), std::string("are free")}) {
    EXPECT_NE(told.failures[0].find(part), std::string::npos) << told.failures[0];
  }
  EXPECT_EQ(writer.failure(), told.failures[0]);
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 1);
  writer.save(model, at(3));
  writer.wait();
  EXPECT_EQ(writer.failure(), "") << "the newest state is saved";
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 3);
}

}  // namespace
}  // namespace lockstep
