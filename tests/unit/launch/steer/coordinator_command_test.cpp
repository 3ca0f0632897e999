// The commands of a user against a coordinator: what they print, and their exit codes.
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cstdlib>

#include "cluster/coordinator/record.h"
#include "cluster/json.h"
#include "io/run/run_directory.h"
#include "support/coordinator_fixture.h"

namespace lockstep::testing {
namespace {

struct Output {
  int exit_code;
  std::string text;  // both streams
};

Output lockstep_command(const std::string& arguments, const std::string& environment = "") {
  const char* programs = std::getenv("LOCKSTEP_BIN");
  if (programs == nullptr) throw std::runtime_error("LOCKSTEP_BIN is not set: run this by ctest");
  FILE* pipe = popen((environment + " " + programs + "/lockstep " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  std::string text;
  char buffer[4096];
  for (std::size_t count; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, count);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

void expect_parts(const Output& output, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(output.exit_code, exit_code) << output.text;
  for (const std::string& part : parts) {
    EXPECT_NE(output.text.find(part), std::string::npos) << "'" << part << "' is missing in:\n" << output.text;
  }
}

TEST_F(CoordinatorTest, StatusPrintsATable) {
  CoordinatorClient::of_run(dir_.path()).watch(std::chrono::milliseconds(50), [](const Status& status) { return !status.ranks[0].age; });
  expect_parts(lockstep_command("status " + dir_.path()), 0,
               {"garments: training", "266,610 parameters; batch 32", "2/3", "25/100", "loss 0.5000  accuracy 0.7500",
                "compute 60 %  communication 20 %  input 10 %  other 10 %", world_.hostname(), std::to_string(getpid()), "s ago"});
}

TEST_F(CoordinatorTest, StatusPrintsJson) {
  const Output output = lockstep_command("status --json " + dir_.path());
  ASSERT_EQ(output.exit_code, 0) << output.text;
  const auto json = Json::parse(output.text);
  EXPECT_EQ(json.at("run").at("name"), "garments");
  EXPECT_EQ(json.at("global_step"), 125);
  EXPECT_EQ(json.at("metrics").at("accuracy"), 0.75);
  EXPECT_EQ(json.at("ranks").size(), 1u);
  EXPECT_TRUE(json.at("run_eta").is_null());
}

TEST(Status, OfAFinishedRunThatHadNoCoordinator) {
  const TempDir run;
  expect_parts(lockstep_command("status " + run.path()), kFailed, {"no coordinator.json"});
  write_file(run / "history.csv", "epoch,loss\n0,0.5\n1,0.25\n");
  expect_parts(lockstep_command("status " + run.path()), kFailed, {"no coordinator.json"});
  write_file(run / "result.json", R"({"name": "garments", "ended": "all 2 epochs done", "epochs_done": 2, "steps": 70, "ranks": 1})");
  expect_parts(lockstep_command("status " + run.path()), 0, {"garments: finished (all 2 epochs done)", "2/2", "loss 0.2500"});
  const Output output = lockstep_command("status --json " + run.path());
  ASSERT_EQ(output.exit_code, 0) << output.text;
  EXPECT_EQ(Json::parse(output.text).at("global_step"), 70);
}

TEST(Status, OfAFailedRunThatHadNoCoordinator) {
  const TempDir run;
  write_file(run / "history.csv", "epoch,loss\n0,0.5\n");
  write_file(run / ".lock", "process 42 on " + World().hostname() + "\n");
  const std::vector<std::string> table = {": failed (", "epoch    1", "loss 0.5000", "no checkpoint to go on from"};
  expect_parts(lockstep_command("status " + run.path()), kFailed, table);
  expect_parts(lockstep_command("status " + run.path()), kFailed, {"killed: its process 42 on "});
  write_file(run / "fault.json", R"({"message": "rank 1 on h2 has died"})");
  expect_parts(lockstep_command("status " + run.path()), kFailed, {"failed (rank 1 on h2 has died)"});
  const auto json = Json::parse(lockstep_command("status --json " + run.path()).text);
  EXPECT_EQ(json.at("phase"), "failed");
  EXPECT_EQ(json.at("reason"), "rank 1 on h2 has died");
  {
    RunDirectory going = RunDirectory::enter(run.path());
    going.lock();
    expect_parts(lockstep_command("status " + run.path()), kFailed, {"no coordinator.json"});
  }
  write_file(run / ".lock", "process 42 on another host\n");
  expect_parts(lockstep_command("status " + run.path()), kFailed, {"no coordinator.json"});
}

TEST_F(CoordinatorTest, StatusByAddressNeedsTheRightToken) {
  const std::string token = read_record(dir_.path()).token;
  const std::string address = coordinator_->address();
  expect_parts(lockstep_command("status " + address), kUsage, {"no token", "LOCKSTEP_TOKEN"});
  expect_parts(lockstep_command("status " + address, "LOCKSTEP_TOKEN=" + std::string(64, '0')), kFailed, {"token refused"});
  expect_parts(lockstep_command("status " + address, "LOCKSTEP_TOKEN=" + token), 0, {"garments"});
  write_file(dir_ / "token", token + "\n");
  expect_parts(lockstep_command("status " + address + " --token-file " + (dir_ / "token")), 0, {"garments"});
  expect_parts(lockstep_command("status " + address + " --token-file " + (dir_ / "absent")), kUsage, {"absent"});
}

TEST_F(CoordinatorTest, WatchWithoutATerminalPrintsLinesUntilTheEnd) {
  std::thread training([&] {
    wait_for_request();
    board_.finish(Phase::finished, "all 3 epochs done");
  });
  // The watch of a run that waits for its stop, which comes from another command.
  std::thread stopping([&] { expect_parts(lockstep_command("stop " + dir_.path()), 0, {"will stop"}); });
  const Output output = lockstep_command("watch --interval 0.05 " + dir_.path());
  training.join();
  stopping.join();
  expect_parts(output, 0, {"finished: epoch 2/3 step 25/100  loss 0.5000", "the run finished: all 3 epochs done"});
  EXPECT_EQ(output.text.find('\x1b'), std::string::npos);
}

TEST_F(CoordinatorTest, WatchOnceAndOfAFailedRun) {
  expect_parts(lockstep_command("watch --once " + dir_.path()), 0, {"garments: training", "heartbeat"});
  board_.finish(Phase::failed, "rank 2 on node17: disk full");
  expect_parts(lockstep_command("watch " + dir_.path()), kFailed, {"the run failed: rank 2 on node17: disk full"});
}

TEST_F(CoordinatorTest, CheckpointPrintsItsPath) {
  std::thread training([&] {
    wait_for_request();
    board_.checkpoint_written({.path = "/runs/a/step-125", .epoch = 2, .step = 125, .time = 1, .bytes = 2});
  });
  const Output output = lockstep_command("checkpoint " + dir_.path());
  training.join();
  EXPECT_EQ(output.text, "/runs/a/step-125\n");
  EXPECT_EQ(output.exit_code, 0);
  expect_parts(lockstep_command("checkpoint --no-wait " + dir_.path()), 0, {});
  EXPECT_TRUE(board_.pending().checkpoint);
}

TEST_F(CoordinatorTest, StopWaitsForARunThatObeysAndLeavesAtOnce) {
  std::thread training([&] {
    EXPECT_FALSE(wait_for_request().stop_checkpoint);
    board_.finish(Phase::finished, "stopped: " + board_.snapshot().stop_request);
    coordinator_.reset();
  });
  const Output output = lockstep_command("stop --wait --no-checkpoint --message lunch " + dir_.path());
  training.join();
  expect_parts(output, 0, {"the run finished: stopped: lunch"});
  for (const char* command : {"checkpoint ", "stop "}) {
    expect_parts(lockstep_command(command + dir_.path()), kFailed, {"run finished (stopped: lunch)", "result.json"});
  }
  write_file(dir_ / "result.json",
             R"({"name": "shirts", "epochs_done": 2, "steps": 125, "ranks": 1, "rank_table": [{"rank": 0, "host": "node7", "pid": 42}]})");
  write_file(dir_ / "history.csv", "epoch,accuracy,loss\r\n0,0.5,1\r\n1,0.75,0.5\r\n");
  for (const char* command : {"status ", "watch ", "watch --once "}) {
    expect_parts(lockstep_command(command + dir_.path()), 0,
                 {"shirts: finished (stopped: lunch)", "step     125", "accuracy 0.7500  loss 0.5000", "node7  pid 42"});
  }
  const auto json = Json::parse(lockstep_command("status --json " + dir_.path()).text);
  EXPECT_EQ(json.at("phase"), "finished");
  EXPECT_EQ(json.at("global_step"), 125);
}

TEST_F(CoordinatorTest, StatusOfAFailedAndOfAKilledRunTellsWhy) {
  board_.finish(Phase::failed, "rank 2 on node17: disk full");
  coordinator_.reset();
  expect_parts(lockstep_command("status " + dir_.path()), kFailed, {"failed (rank 2 on node17: disk full)", "no checkpoint to go on from"});
  CoordinatorRecord killed = read_record(dir_.path());
  killed.ended = false;
  killed.address = "127.0.0.1:1";
  killed.host = world_.hostname();
  killed.pid = 0x7ffffffe;  // above the kernel's greatest
  write_record(dir_.path(), killed);
  expect_parts(lockstep_command("status " + dir_.path()), kFailed,
               {"failed (killed: its process (pid 2147483646 on", "no checkpoint to go on from"});
  EXPECT_EQ(Json::parse(lockstep_command("status --json " + dir_.path()).text).at("phase"), "failed");
  write_file(dir_ / "fault.json", R"({"message": "rank 1 on h2 has died"})");
  expect_parts(lockstep_command("status " + dir_.path()), kFailed, {"failed (rank 1 on h2 has died)"});
}

TEST_F(CoordinatorTest, CommandsForOneProcessTellInsideATaskOfAnyRank) {
  for (const std::string environment :
       {"SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2", "PMIX_RANK=1", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2"}) {
    for (const char* command : {"status ", "watch ", "stop ", "checkpoint "}) {
      expect_parts(lockstep_command(command + (dir_ / "absent"), environment), kFailed, {"no run directory"});
    }
    expect_parts(lockstep_command("summary", environment), kUsage, {"model is required"});
    expect_parts(lockstep_command("--version", environment), 0, {"."});
    expect_parts(lockstep_command("status " + dir_.path(), environment), 0, {"garments: training"});
  }
}

TEST_F(CoordinatorTest, WhatIsNotThereIsNamed) {
  expect_parts(lockstep_command("status " + (dir_ / "absent")), kFailed, {"no run directory", "absent"});
  const TempDir empty;
  expect_parts(lockstep_command("status " + empty.path()), kFailed, {"no coordinator.json", empty.path()});
  expect_parts(lockstep_command("status 127.0.0.1:1", "LOCKSTEP_TOKEN=00"), kFailed, {"127.0.0.1:1", "cannot be reached"});
  expect_parts(lockstep_command("status"), kUsage, {"target is required"});
}

}  // namespace
}  // namespace lockstep::testing
