#include "cluster/coordinator/coordinator.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "cluster/coordinator/record.h"
#include "support/coordinator_fixture.h"
#include "support/deny_sock_diag.h"

namespace lockstep::testing {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Ends this process: 0 if the coordinator warns of other users.
void end_with_warning(const std::string& listen) {
  const World world;
  const TempDir dir;
  StatusBoard board;
  board.start({});
  if (!deny(Denied::sock_diag_and_proc)) _exit(2);
  const Coordinator coordinator(world, board, {.listen = listen, .run_dir = dir.path()});
  const std::string warning = coordinator.warning();
  const bool helpful =
      warning.find("coordinator.listen: unix") != std::string::npos && warning.find(coordinator.address()) != std::string::npos;
  _exit(helpful ? 0 : warning.empty() ? 1 : 3);
}

TEST(CoordinatorDeathTest, WarnsWhereTheSystemDoesNotTellWhoConnects) {
  EXPECT_EXIT(end_with_warning("127.0.0.1"), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(end_with_warning("unix"), ::testing::ExitedWithCode(1), "");
}

TEST_F(CoordinatorTest, NothingToWarnOf) { EXPECT_EQ(coordinator_->warning(), ""); }

TEST_F(CoordinatorTest, StatusIsWhatTheBoardHolds) {
  const Status status = CoordinatorClient::of_run(dir_.path()).status();
  EXPECT_EQ(status.run.name, "garments");
  EXPECT_EQ(status.run.versions.at("lockstep"), "0.1.0");
  EXPECT_EQ(status.phase, Phase::training);
  EXPECT_EQ(status.progress.epoch, 2);
  EXPECT_EQ(status.progress.step_in_epoch, 25);
  EXPECT_EQ(status.progress.global_step, 125);
  EXPECT_EQ(status.progress.samples, 4000);
  EXPECT_EQ(status.metrics, (NamedValues{{"loss", 0.5}, {"accuracy", 0.75}}));
  EXPECT_EQ(status.times.compute, 6);
  EXPECT_EQ(status.times.other, 1);
  EXPECT_EQ(status.ranks.size(), 1u);
}

TEST_F(CoordinatorTest, HistoryAndCheckpointsAreListed) {
  board_.epoch_end({.epoch = 1, .seconds = 1.5, .values = {{"loss", 0.7}, {"val_loss", 0.8}}});
  board_.checkpoint_written({.path = "/runs/a/step-100", .epoch = 1, .step = 100, .time = 12.5, .bytes = 1234});
  const CoordinatorClient client = CoordinatorClient::of_run(dir_.path());
  const auto history = client.history();
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].seconds, 1.5);
  EXPECT_EQ(history[0].values, (NamedValues{{"loss", 0.7}, {"val_loss", 0.8}}));
  const auto checkpoints = client.checkpoints();
  ASSERT_EQ(checkpoints.size(), 1u);
  EXPECT_EQ(checkpoints[0].path, "/runs/a/step-100");
  EXPECT_EQ(checkpoints[0].bytes, 1234);
}

TEST_F(CoordinatorTest, HeartbeatOfThisRankArrives) {
  const Status last = CoordinatorClient::of_run(dir_.path()).watch(std::chrono::milliseconds(50), [](const Status& status) {
    return !status.ranks.at(0).age.has_value();
  });
  const RankStatus& rank = last.ranks.at(0);
  EXPECT_EQ(rank.pid, getpid());
  EXPECT_EQ(rank.host, world_.hostname());
  EXPECT_EQ(rank.step, 125);
  EXPECT_GT(rank.rss_bytes, 1'000'000);
}

TEST_F(CoordinatorTest, WatchEndsWithTheRunAndTellsItsReason) {
  int seen = 0;
  const Status last = CoordinatorClient::of_run(dir_.path()).watch(std::chrono::milliseconds(50), [&](const Status&) {
    if (++seen == 3) board_.finish(Phase::finished, "all 3 epochs done");
    return true;
  });
  EXPECT_GE(seen, 4);
  EXPECT_EQ(last.phase, Phase::finished);
  EXPECT_EQ(last.reason, "all 3 epochs done");
}

TEST_F(CoordinatorTest, EndOfTheCoordinatorEndsAWatchOfAnyInterval) {
  std::thread ending;
  const Status last = CoordinatorClient::of_run(dir_.path()).watch(std::chrono::hours(1), [&](const Status&) {
    if (!ending.joinable()) ending = std::thread([&] { coordinator_.reset(); });
    return true;
  });
  ending.join();
  EXPECT_EQ(last.phase, Phase::failed) << "nobody told that the run finished";
  EXPECT_EQ(last.reason, "training was left before it reported its end");
}

TEST_F(CoordinatorTest, SaveCheckpointWaitsUntilItIsWritten) {
  std::thread training([&] {
    EXPECT_TRUE(wait_for_request().checkpoint);
    board_.checkpoint_started();
    board_.checkpoint_written({.path = "/runs/a/step-125", .epoch = 2, .step = 125, .time = 1, .bytes = 2});
  });
  const auto written = CoordinatorClient::of_run(dir_.path()).save_checkpoint(true);
  training.join();
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->path, "/runs/a/step-125");
  EXPECT_EQ(written->step, 125);
}

TEST_F(CoordinatorTest, SaveCheckpointWithoutWaitingOnlyAsks) {
  EXPECT_FALSE(CoordinatorClient::of_run(dir_.path()).save_checkpoint(false).has_value());
  EXPECT_TRUE(board_.pending().checkpoint);
}

TEST_F(CoordinatorTest, FailedCheckpointIsAnErrorWithItsReason) {
  std::thread training([&] {
    wait_for_request();
    board_.checkpoint_failed("No space left on device");
  });
  expect_error([&] { CoordinatorClient::of_run(dir_.path()).save_checkpoint(true); }, {"No space left on device"});
  training.join();
}

TEST_F(CoordinatorTest, StopReachesTheTrainingThread) {
  const CoordinatorClient client = CoordinatorClient::of_run(dir_.path());
  client.stop("enough", true);
  EXPECT_TRUE(board_.pending().stop);
  EXPECT_TRUE(board_.pending().stop_checkpoint);
  EXPECT_EQ(client.status().stop_request, "enough");
  board_.finish(Phase::finished, "stopped: enough");
  expect_error([&] { client.stop("again", true); }, {"already ended", "stopped: enough"});
}

TEST_F(CoordinatorTest, RecordIsForItsOwnerAloneAndHoldsNoSecretAfterTheEnd) {
  const std::string path = dir_ / "coordinator.json";
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const CoordinatorRecord record = read_record(dir_.path());
  EXPECT_EQ(record.address, coordinator_->address());
  EXPECT_TRUE(record.address.starts_with("127.0.0.1:")) << record.address;
  EXPECT_EQ(record.pid, getpid());
  EXPECT_TRUE(record.remote.empty());
  EXPECT_TRUE(record.certificate.empty());
  EXPECT_EQ(record_permission_warning(dir_.path()), "");
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_NE(CoordinatorClient::of_run(dir_.path()).warning(), "");

  board_.finish(Phase::finished, "all 3 epochs done");
  coordinator_.reset();
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(content(path).find(record.token), std::string::npos);
  EXPECT_EQ(content(path).find(record.address), std::string::npos);
  expect_error([&] { CoordinatorClient::of_run(dir_.path()); }, {"run finished", "all 3 epochs done", "result.json"});
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path())) ++files;
  EXPECT_EQ(files, 1) << "nothing stays beside it";
}

TEST_F(CoordinatorTest, PortInUseIsAnError) {
  const std::string address = coordinator_->address();
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const TempDir other;
  StatusBoard board;
  const auto start = [&] { Coordinator(world_, board, {.port = port, .run_dir = other.path()}); };
  expect_error(start, {std::to_string(port), "in use", "another port"});
  EXPECT_FALSE(std::filesystem::exists(other / "coordinator.json"));
}

TEST_F(CoordinatorTest, AUnixSocketInPlaceOfLoopback) {
  const TempDir other;
  std::string path;
  {
    Coordinator coordinator(world_, board_, {.listen = "unix", .run_dir = other.path()});
    const CoordinatorRecord record = read_record(other.path());
    ASSERT_TRUE(record.address.starts_with("unix:/")) << record.address;
    EXPECT_TRUE(record.remote.empty());
    path = record.address.substr(5);
    struct stat folder {};
    ASSERT_EQ(stat(std::filesystem::path(path).parent_path().c_str(), &folder), 0);
    EXPECT_EQ(folder.st_mode & 07777, 0700u);
    const CoordinatorClient client = CoordinatorClient::of_run(other.path());
    EXPECT_EQ(client.status().run.name, "garments");
    client.watch(std::chrono::milliseconds(50), [](const Status& status) { return !status.ranks[0].age; });  // the heartbeat as well
    Coordinator second(world_, board_, {.listen = "unix", .run_dir = dir_.path()});
    EXPECT_EQ(client.status().run.name, "garments") << "another run leaves a socket in use alone";
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST_F(CoordinatorTest, WrongOptionsAreErrors) {
  StatusBoard board;
  const auto start = [&](CoordinatorOptions options) { return [&, options] { Coordinator(world_, board, options); }; };
  expect_error(start({.port = 65536, .run_dir = dir_.path()}), {"65536"});
  expect_error(start({.listen = "unix", .port = 8080, .run_dir = dir_.path()}), {"Unix socket has no port"});
  expect_error(start({.heartbeat_seconds = 0, .run_dir = dir_.path()}), {"heartbeat_seconds"});
  expect_error(start({.listen = "198.51.100.1", .run_dir = dir_.path()}), {"198.51.100.1", "not an address of this host"});
  expect_error(start({.run_dir = dir_ / "absent"}), {"absent", "No such file or directory"});
}

TEST(CoordinatorClientTest, AddressesAndTokensAreChecked) {
  const std::string token(64, 'a');
  expect_error([&] { CoordinatorClient::at("127.0.0.1", token, "", false); }, {"HOST:PORT"});
  expect_error([&] { CoordinatorClient::at("127.0.0.1:0", token, "", false); }, {"1 to 65535"});
  expect_error([&] { CoordinatorClient::at("127.0.0.1:99999", token, "", false); }, {"1 to 65535"});
  expect_error([&] { CoordinatorClient::at("127.0.0.1:80x", token, "", false); }, {"HOST:PORT"});
  expect_error([&] { CoordinatorClient::at("127.0.0.1:80", "", "", false); }, {"LOCKSTEP_TOKEN"});
  expect_error([&] { CoordinatorClient::at("198.51.100.1:80", token, "", false); }, {"in the clear", "--certificate"});
}

TEST(CoordinatorClientTest, WhatIsMissingIsNamed) {
  const TempDir dir;
  expect_error([&] { CoordinatorClient::of_run(dir / "absent"); }, {"no run directory", "absent"});
  expect_error([&] { CoordinatorClient::of_run(dir.path()); }, {"no coordinator.json"});
  write_file(dir / "coordinator.json", "{\"address\": 3}");
  expect_error([&] { CoordinatorClient::of_run(dir.path()); }, {"coordinator.json", "not a coordinator's record"});
  CoordinatorRecord record;
  record.address = "127.0.0.1:1";
  record.pid = getpid();
  record.host = "far-away";
  write_record(dir.path(), record);
  expect_error([&] { CoordinatorClient::of_run(dir.path()); }, {"listens on far-away alone", "ssh far-away"});
  record.host = World().hostname();
  write_record(dir.path(), record);
  expect_error([&] { CoordinatorClient::of_run(dir.path()).status(); }, {"127.0.0.1:1", "cannot be reached"});
  record.pid = 4'194'305;  // above the largest that Linux gives
  write_record(dir.path(), record);
  expect_error([&] { CoordinatorClient::of_run(dir.path()).status(); }, {"is gone", "--resume"});
}

}  // namespace
}  // namespace lockstep::testing
