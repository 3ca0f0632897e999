#include "io/run/run_directory.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/files/file_bytes.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::TempDir;
using testing::write_file;

void end_epoch(HistoryCsv& csv, std::int64_t epoch, Logs logs) {
  FitState state;
  state.epoch = epoch;
  csv.on_epoch_end(state, logs);
}

TEST(HistoryCsv, AColumnThatComesLaterWidensTheWholeFile) {
  TempDir dir;
  const std::string path = dir / "history.csv";
  HistoryCsv csv(path);
  csv.on_train_begin({});
  end_epoch(csv, 0, {{"loss", 0.5}, {"mae", 2}});
  end_epoch(csv, 1, {{"loss", 0.25}});
  EXPECT_EQ(read_file(path), "epoch,loss,mae\r\n0,0.5,2.0\r\n1,0.25,NA\r\n");
  end_epoch(csv, 2, {{"accuracy", 1}, {"loss", 0.125}, {"val_loss", std::nan("")}});
  EXPECT_EQ(read_file(path), "epoch,accuracy,loss,mae,val_loss\r\n0,NA,0.5,2.0,NA\r\n1,NA,0.25,NA,NA\r\n2,1.0,0.125,NA,nan\r\n");
  end_epoch(csv, 3, {{"accuracy", 1}, {"loss", 0.125}});
  EXPECT_TRUE(read_file(path).ends_with("2,1.0,0.125,NA,nan\r\n3,1.0,0.125,NA,NA\r\n"));
}

TEST(HistoryCsv, AResumedRunGoesOnWithTheRowsThereWere) {
  TempDir dir;
  const std::string path = dir / "history.csv";
  History before;
  before.epoch = {0, 1};
  before.history = {{"loss", {0.5, 0.25}}};
  HistoryCsv csv(path, before);
  csv.on_train_begin({});
  EXPECT_EQ(read_file(path), "epoch,loss\r\n0,0.5\r\n1,0.25\r\n");
  end_epoch(csv, 2, {{"loss", 0.125}, {"val_loss", 1}});
  EXPECT_EQ(read_file(path), "epoch,loss,val_loss\r\n0,0.5,NA\r\n1,0.25,NA\r\n2,0.125,1.0\r\n");
}

TEST(RunDirectory, OneInWhichNothingWasTrainedIsTakenAgain) {
  TempDir dir;
  const fs::path run = dir / "run";
  {
    RunDirectory directory = RunDirectory::create(run, "name");
    directory.lock();
    write_file(run / "config.yaml", "name: a");
    write_file(run / "fault.json.partial-17", "{");
    directory.log("failed: a wrong address");
  }
  fs::create_directories(run / "checkpoints");
  fs::create_directories(run / "logs");
  write_file(run / "logs" / "rank-0000.log", "started");
  EXPECT_TRUE(RunDirectory::open(run).untrained());
  RunDirectory::create(run, "name");
  for (const char* trained : {"history.csv", "result.json", "model.keras", "checkpoints/step-00000001", "notes.txt"}) {
    write_file(run / trained, "x");
    expect_error([&] { RunDirectory::create(run, "name"); }, {"run", "is not empty", "--resume"});
    fs::remove(run / trained);
  }
  fs::remove(run / ".lock");  // somebody's own configuration is no run of ours
  expect_error([&] { RunDirectory::create(run, "name"); }, {"is not empty"});
}

TEST(RunDirectory, OneThatIsLostIsToldBeforeEachWrite) {
  TempDir dir;
  const fs::path run = dir / "run";
  RunDirectory directory = RunDirectory::create(run, "name");
  directory.expect_held();  // not locked yet
  directory.lock();
  directory.expect_held();
  fs::rename(run, dir / "other");
  expect_error([&] { directory.expect_held(); }, {"run was renamed to", "other"});
  fs::create_directory(run);
  expect_error([&] { directory.expect_held(); }, {"run was renamed to", "other"});
  directory.log("nothing");
  EXPECT_TRUE(fs::is_empty(run));
  fs::remove(run);
  fs::rename(dir / "other", run);
  directory.expect_held();
  fs::remove(run / ".lock");
  expect_error([&] { directory.expect_held(); }, {".lock was removed or replaced"});
  RunDirectory::enter(run).lock();
  expect_error([&] { directory.expect_held(); }, {".lock was removed or replaced"});
  fs::remove_all(run);
  expect_error([&] { directory.expect_held(); }, {"run was removed"});
}

TEST(RunDirectory, LeftoversGoWithTheLock) {
  TempDir dir;
  const fs::path run = dir / "run";
  RunDirectory directory = RunDirectory::enter(run);
  fs::create_directories(run / "checkpoints/.partial-step-00000007");
  for (const char* name : {"config.yaml.partial-17", "model.keras.partial-4000000", ".coordinator.json.17"}) write_file(run / name, "x");
  for (const char* name : {"config.yaml", "notes.partial-", "a.17"}) write_file(run / name, "x");
  directory.lock();
  for (const char* name :
       {"config.yaml.partial-17", "model.keras.partial-4000000", ".coordinator.json.17", "checkpoints/.partial-step-00000007"}) {
    EXPECT_FALSE(fs::exists(run / name)) << name;
  }
  for (const char* name : {"config.yaml", "notes.partial-", "a.17"}) EXPECT_TRUE(fs::exists(run / name)) << name;
}

}  // namespace
}  // namespace lockstep
