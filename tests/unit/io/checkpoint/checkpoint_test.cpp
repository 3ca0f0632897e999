#include "io/checkpoint/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>

#include "io/checkpoint/folder.h"
#include "io/checkpoint/state.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::small_data;
using testing::small_model;
using testing::TempDir;
using testing::trained_model;
using testing::write_file;

CheckpointState state_at(std::int64_t step) {
  CheckpointState state{.epoch = 2,
                        .step_in_epoch = 1,
                        .global_step = step,
                        .epochs = 5,
                        .steps_per_epoch = 3,
                        .batch_size = 8,
                        .shards = 8,
                        .seed = 18446744073709551615ULL,
                        .shuffle = false,
                        .metric_names = {"loss", "accuracy"}};
  state.history.epoch = {0, 1};
  state.history.epochs = 5;
  state.history.steps = 3;
  state.history.digests = {18446744073709551557ULL, 1};
  state.history.history = {{"loss", {0.1, std::nan("")}}, {"accuracy", {1.0 / 3, HUGE_VAL}}};
  state.versions = {{"lockstep", "0.1.0"}};
  state.sums = {{{0.1, 3, std::nan(""), 1e-300}, {7, 0.5}}, 1.0 / 7, 24};
  state.callbacks = {{"counter", "five \"5\""}};
  state.facts = {{"ISA", "AVX512"}};
  state.rows = 22;
  state.data = {{"training", "rows"}};
  state.loss = "mse";
  state.learning_rate = 0.1F;
  state.run_config = "name: run\n";
  return state;
}

std::vector<std::string> entries(const std::string& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Checkpoint, EverythingComesBack) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  const CheckpointInfo info = write_checkpoint(dir.path(), model, state_at(12345));
  EXPECT_EQ(info.path, dir / "checkpoints/step-00012345");
  EXPECT_EQ(info.step, 12345);
  EXPECT_EQ(info.epoch, 3);
  EXPECT_EQ(entries(info.path),
            (std::vector<std::string>{"config.json", "config.yaml", "manifest.json", "model.weights.h5", "state.json"}));
  Sequential again = small_model(Adam{});
  const CheckpointState state = load_checkpoint(info.path, again), expected = state_at(12345);
  EXPECT_EQ(again.get_weights(), model.get_weights());
  EXPECT_EQ(again.optimizer()->iterations(), 6);
  EXPECT_EQ(state.epoch, 2);
  EXPECT_EQ(state.step_in_epoch, 1);
  EXPECT_EQ(state.global_step, 12345);
  EXPECT_EQ(state.epochs, 5);
  EXPECT_EQ(state.steps_per_epoch, 3);
  EXPECT_EQ(state.batch_size, 8);
  EXPECT_EQ(state.shards, 8);
  EXPECT_EQ(state.seed, expected.seed);
  EXPECT_FALSE(state.shuffle);
  EXPECT_EQ(state.metric_names, expected.metric_names);
  EXPECT_EQ(state.versions, expected.versions);
  EXPECT_EQ(state.history.epoch, expected.history.epoch);
  EXPECT_EQ(state.history.digests, expected.history.digests);
  EXPECT_EQ(state.history.steps, 3);
  EXPECT_EQ(state.history.history.at("accuracy"), expected.history.history.at("accuracy"));
  EXPECT_EQ(state.history.history.at("loss")[0], 0.1);
  EXPECT_TRUE(std::isnan(state.history.history.at("loss")[1]));
  EXPECT_GT(state.time, 1.7e9);
  ASSERT_EQ(state.sums.scores.grains.size(), 4U);
  EXPECT_EQ(state.sums.scores.grains[0], 0.1);
  EXPECT_TRUE(std::isnan(state.sums.scores.grains[2]));
  EXPECT_EQ(state.sums.scores.grains[3], 1e-300);
  EXPECT_EQ(state.sums.scores.counts, (std::vector<double>{7, 0.5}));
  EXPECT_EQ(state.sums.penalty, 1.0 / 7);
  EXPECT_EQ(state.sums.rows, 24);
  EXPECT_EQ(state.callbacks, expected.callbacks);
  EXPECT_EQ(state.facts, expected.facts);
  EXPECT_EQ(state.rows, 22);
  EXPECT_EQ(state.data, expected.data);
  EXPECT_EQ(state.loss, "mse");
  EXPECT_EQ(state.learning_rate, 0.1F);
  EXPECT_TRUE(state.healthy);
  EXPECT_TRUE(is_checkpoint(info.path));
  EXPECT_FALSE(is_checkpoint(dir.path()));
  EXPECT_EQ(read_file(checkpoint_run_config(info.path)), expected.run_config);
  Sequential alone = load_checkpoint_model(info.path);
  EXPECT_EQ(alone.predict(small_data(5)), model.predict(small_data(5)));
  for (Sequential* one : {&model, &again, &alone}) one->fit(small_data(22), {.epochs = 1, .batch_size = 8, .verbose = 0});
  EXPECT_EQ(again.get_weights(), model.get_weights());
  EXPECT_EQ(alone.get_weights(), model.get_weights());
}

TEST(Checkpoint, TheNewestWholeOneIsFoundAndTheOthersAreExplained) {
  TempDir dir;
  EXPECT_TRUE(list_checkpoints(dir.path()).empty());
  EXPECT_FALSE(newest_checkpoint(dir.path()).found);
  Sequential model = trained_model(Adam{});
  for (const std::int64_t step : {900'000'000, 7, 20, 30, 40}) write_checkpoint(dir.path(), model, state_at(step));
  fs::create_directory(dir / "checkpoints/step-other");
  std::vector<std::int64_t> steps;
  for (const CheckpointInfo& info : list_checkpoints(dir.path())) steps.push_back(info.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{7, 20, 30, 40, 900'000'000}));
  const std::string weights = dir / "checkpoints/step-900000000/model.weights.h5";
  fs::resize_file(weights, fs::file_size(weights) - 1);  // cut short
  std::string bytes = read_file(dir / "checkpoints/step-00000040/model.weights.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);  // one bit
  write_file(dir / "checkpoints/step-00000040/model.weights.h5", bytes);
  fs::remove(dir / "checkpoints/step-00000030/manifest.json");
  const NewestCheckpoint newest = newest_checkpoint(dir.path());
  ASSERT_TRUE(newest.found);
  EXPECT_EQ(newest.found->step, 20);
  ASSERT_EQ(newest.skipped.size(), 3U);
  EXPECT_NE(newest.skipped[0].find("step-900000000/model.weights.h5: expected"), std::string::npos) << newest.skipped[0];
  EXPECT_NE(newest.skipped[1].find("step-00000040/model.weights.h5: damaged"), std::string::npos) << newest.skipped[1];
  EXPECT_NE(newest.skipped[2].find("step-00000030/manifest.json"), std::string::npos) << newest.skipped[2];
  EXPECT_EQ(list_checkpoints(dir.path()).size(), 5U);
}

TEST(Checkpoint, AHealthyOneIsTakenBeforeNewerOnesOfNaN) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  for (const std::int64_t step : {1, 2, 3, 4}) {
    CheckpointState state = state_at(step);
    state.healthy = step < 3;
    write_checkpoint(dir.path(), model, state);
  }
  fs::remove(dir / "checkpoints/step-00000002/manifest.json");
  NewestCheckpoint newest = newest_checkpoint(dir.path());
  ASSERT_TRUE(newest.found);
  EXPECT_EQ(newest.found->step, 1);
  ASSERT_EQ(newest.skipped.size(), 3U);
  EXPECT_NE(newest.skipped[0].find("step-00000004: its loss or weights are not finite"), std::string::npos) << newest.skipped[0];
  EXPECT_NE(newest.skipped[1].find("step-00000003: its loss or weights are not finite"), std::string::npos) << newest.skipped[1];
  fs::remove(dir / "checkpoints/step-00000001/manifest.json");
  fs::remove(dir / "checkpoints/step-00000004/manifest.json");
  newest = newest_checkpoint(dir.path());
  ASSERT_TRUE(newest.found) << "better than none";
  EXPECT_EQ(newest.found->step, 3);
  ASSERT_EQ(newest.skipped.size(), 1U);
  EXPECT_NE(newest.skipped[0].find("step-00000004/manifest.json"), std::string::npos) << newest.skipped[0];
}

TEST(Checkpoint, TheRunOfACheckpointIsToldByItsPath) {
  EXPECT_EQ(run_dir_of("runs/a/checkpoints/step-00000007"), "runs/a");
  EXPECT_EQ(run_dir_of("/runs/a/checkpoints/step-900000000/"), "/runs/a");
  EXPECT_EQ(run_dir_of("checkpoints/step-00000007"), ".");
  EXPECT_EQ(run_dir_of("runs/a/step-00000007"), "");
  EXPECT_EQ(run_dir_of("runs/a/checkpoints/step-7"), "");
  EXPECT_EQ(run_dir_of("runs/a"), "");
  EXPECT_EQ(run_dir_of(""), "");
}

TEST(Checkpoint, EveryDamageOfEveryFileIsFound) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  const std::string path = write_checkpoint(dir.path(), model, state_at(1)).path;
  for (const std::string& name : entries(path)) {
    const std::string file = path + "/" + name, whole = read_file(file);
    for (const std::string& damaged :
         {std::string(), whole.substr(0, whole.size() / 2), name == "manifest.json" ? std::string("{}") : whole + "x"}) {
      write_file(file, damaged);
      expect_error([&] { verify_checkpoint(path); }, {name});
      expect_error([&] { load_checkpoint(path, model); }, {name});
      expect_error([&] { load_checkpoint_model(path); }, {name});
    }
    fs::remove(file);
    expect_error([&] { verify_checkpoint(path); }, {name, "No such file"});
    write_file(file, whole);
  }
  verify_checkpoint(path);
  Sequential adam = small_model(Adam{});
  const std::vector<std::vector<float>> before = adam.get_weights();
  expect_error([&] { load_checkpoint(path, adam); }, {"model.weights.h5", "'sgd'", "Adam"});
  EXPECT_EQ(adam.get_weights(), before);
  expect_error([] { checkpoint_state_from_json("s.json", R"({"epoch": 1})"); }, {"s.json", "step_in_epoch"});
}

TEST(Checkpoint, OneOfTheSameStepIsReplacedAndLeftoversGo) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  write_checkpoint(dir.path(), model, state_at(5));
  fs::create_directories(dir / "checkpoints/.partial-step-00000009");
  write_file(dir / "checkpoints/.partial-step-00000009/state.json", "half");
  EXPECT_EQ(list_checkpoints(dir.path()).size(), 1U);
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 5);
  model.fit(small_data(22), {.epochs = 1, .batch_size = 8, .verbose = 0});
  write_checkpoint(dir.path(), model, state_at(5));
  EXPECT_EQ(entries(dir / "checkpoints"), std::vector<std::string>{"step-00000005"});
  EXPECT_EQ(load_checkpoint_model(dir / "checkpoints/step-00000005").get_weights(), model.get_weights());
}

TEST(Checkpoint, AFullDiskLeavesWhatThereWas) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  write_checkpoint(dir.path(), model, state_at(1));
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // then write() fails with EFBIG, as it does with ENOSPC
  for (const rlim_t room : {rlim_t{0}, rlim_t{100}, rlim_t{4096}}) {
    const rlimit tight{room, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
    std::string message;
    try {
      write_checkpoint(dir.path(), model, state_at(2));
    } catch (const Error& error) {
      message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_NE(message.find("cannot write it"), std::string::npos) << message;
    EXPECT_EQ(entries(dir / "checkpoints"), std::vector<std::string>{"step-00000001"});
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 1);
  write_checkpoint(dir.path(), model, state_at(2));
  EXPECT_EQ(newest_checkpoint(dir.path()).found->step, 2);
}

TEST(Checkpoint, AStateThatCannotBeReadIsPassedOver) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  write_checkpoint(dir.path(), model, state_at(1));
  const std::string path = write_checkpoint(dir.path(), model, state_at(2)).path, state = path + "/state.json";
  const std::string whole = read_file(state), other = "{\"epoch\": 1}", manifest = read_file(path + "/manifest.json");
  std::string changed = manifest;  // as if it had been written so: sizes and checksums are right
  changed.replace(changed.find(hex_digest(Digest::sha256, whole)), 64, hex_digest(Digest::sha256, other));
  changed.replace(changed.find(": " + std::to_string(whole.size()) + ","), std::to_string(whole.size()).size() + 3,
                  ": " + std::to_string(other.size()) + ",");
  write_file(state, other);
  write_file(path + "/manifest.json", changed);
  const NewestCheckpoint newest = newest_checkpoint(dir.path());
  ASSERT_TRUE(newest.found);
  EXPECT_EQ(newest.found->step, 1);
  ASSERT_EQ(newest.skipped.size(), 1U);
  EXPECT_NE(newest.skipped[0].find("state.json: is not the state of a checkpoint"), std::string::npos) << newest.skipped[0];
}

TEST(Checkpoint, WhatIsNoneIsPassedOver) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  const std::string whole = write_checkpoint(dir.path(), model, state_at(1)).path;
  const std::string path = write_checkpoint(dir.path(), model, state_at(2)).path, manifest = path + "/manifest.json";
  const auto passed_over = [&](const std::string& why) {
    const NewestCheckpoint newest = newest_checkpoint(dir.path());
    ASSERT_TRUE(newest.found);
    EXPECT_EQ(newest.found->path, whole);
    ASSERT_EQ(newest.skipped.size(), 1U);
    EXPECT_NE(newest.skipped[0].find(why), std::string::npos) << newest.skipped[0];
  };
  for (const char* text :
       {R"({"format": "1", "files": {}})", R"({"format": 1, "files": []})", R"({"format": [1], "files": {}})", R"([1])", "7"}) {
    write_file(manifest, text);
    passed_over("expected format 1 and a list of files");
  }
  for (const char* text : {R"(7)", R"({"bytes": "1", "sha256": "x"})", R"({"bytes": 1, "sha256": 1})", R"(["bytes"])"}) {
    write_file(manifest, R"({"format": 1, "files": {"model.weights.h5": )" + std::string(text) + "}}");
    passed_over("says nothing about model.weights.h5");
  }
  fs::remove(manifest);
  ASSERT_EQ(mkfifo(manifest.c_str(), 0600), 0);
  passed_over("manifest.json: is a FIFO");
  fs::remove_all(path);
  fs::copy(whole, dir / "checkpoints/step-00000003");
  passed_over("state.json: is the state of step 1, but its directory is named for step 3");
  expect_error([&] { verify_checkpoint(dir / "checkpoints/step-00000003/"); }, {"is named for step 3"});
  fs::rename(dir / "checkpoints/step-00000003", dir / "best");
  EXPECT_EQ(verify_checkpoint(dir / "best").global_step, 1) << "a copy may have any other name";
}

TEST(Checkpoint, AListingThatFailsIsNoEmptyRun) {
  TempDir dir;
  fs::create_symlink("checkpoints", dir / "checkpoints");  // to itself
  expect_error([&] { newest_checkpoint(dir.path()); }, {"checkpoints: cannot access it", "Too many levels"});
  fs::remove(dir / "checkpoints");
  write_file(dir / "checkpoints", "no directory");
  expect_error([&] { list_checkpoints(dir.path()); }, {"checkpoints: cannot list it: Not a directory"});
  Sequential model = trained_model(Sgd{});
  try {
    write_checkpoint(dir.path(), model, state_at(1));
    ADD_FAILURE() << "written into a file";
  } catch (const SystemError& error) {
    EXPECT_FALSE(error.transient()) << error.what();
  }
}

struct Score {
  std::int64_t step;
  double value;
  bool healthy = true;
};

/// Steps of the checkpoints that stay of these.
std::vector<std::string> kept(const KeepCheckpoints& keep, const std::vector<Score>& scores) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  for (const Score& score : scores) {
    CheckpointState state = state_at(score.step);
    state.monitor = "val_loss";
    state.score = score.value;
    state.healthy = score.healthy;
    write_checkpoint(dir.path(), model, state);
    prune_checkpoints(dir.path(), keep);
  }
  return entries(dir / "checkpoints");
}

std::vector<std::string> names(const std::vector<int>& steps) {
  std::vector<std::string> names;
  for (const int step : steps) names.push_back("step-0000000" + std::to_string(step));
  return names;
}

TEST(Checkpoint, PruningKeepsTheNewestAndTheBest) {
  const std::vector<Score> scores{{1, 3}, {2, 1}, {3, 2}, {4, 1}, {5, std::nan("")}, {6, 9}};
  EXPECT_EQ(kept({.newest = 2}, scores), names({2, 5, 6}));
  EXPECT_EQ(kept({.newest = 2, .larger_is_better = true}, scores), names({5, 6}));
  EXPECT_EQ(kept({.newest = 1, .monitor = "loss"}, scores), names({6})) << "scores of another value tell nothing";
  EXPECT_EQ(kept({.newest = 0}, scores), names({2, 6})) << "one stays at least";
  EXPECT_EQ(kept({.newest = 9}, scores).size(), 6U);
}

TEST(Checkpoint, ARunFullOfNaNNeverRotatesAwayTheLastHealthyOne) {
  const double nan = std::nan("");
  EXPECT_EQ(kept({.newest = 2}, {{1, 2}, {2, 3}, {3, nan, false}, {4, nan, false}, {5, nan, false}, {6, nan, false}}), names({1, 2, 5, 6}));
  EXPECT_EQ(kept({.newest = 1}, {{1, 2}, {2, nan, false}, {3, 0, false}}), names({1, 3})) << "an unhealthy one is never best";
}

}  // namespace
}  // namespace lockstep
