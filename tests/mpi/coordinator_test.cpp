#include "cluster/coordinator/coordinator.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "cluster/coordinator/client.h"
#include "cluster/status/status_board.h"
#include "support/mpi_world.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep::testing {
namespace {

// Rank 0's temporary directory, by name, on all ranks.
class SharedDir {
 public:
  SharedDir() {
    if (test::world().rank() == 0) own_.emplace();
    path_ = test::world().broadcast(own_ ? own_->path() : std::string());
  }
  const std::string& path() const { return path_; }

 private:
  std::optional<TempDir> own_;
  std::string path_;
};

CoordinatorOptions options_of(const std::string& run_dir) {
  CoordinatorOptions options;
  options.heartbeat_seconds = 0.05;
  options.run_dir = run_dir;
  return options;
}

TEST(Coordinator, EveryRanksHeartbeatArrives) {
  const World& world = test::world();
  const SharedDir dir;
  StatusBoard board;
  board.phase(Phase::training);
  board.step(3, 7, 1000 + world.rank(), 0);
  const std::vector<std::string> pids = world.all_gather(std::to_string(getpid()));
  Coordinator coordinator(world, board, options_of(dir.path()));
  EXPECT_EQ(world.all_gather(coordinator.address()), std::vector<std::string>(pids.size(), coordinator.address()));
  if (world.rank() == 0) {
    const auto all_there = [](const Status& status) {
      return std::all_of(status.ranks.begin(), status.ranks.end(), [](const RankStatus& rank) { return rank.age.has_value(); });
    };
    const CoordinatorClient client = CoordinatorClient::of_run(dir.path());
    const Status last = client.watch(std::chrono::milliseconds(50), [&](const Status& status) { return !all_there(status); });
    ASSERT_EQ(last.ranks.size(), pids.size());
    for (std::size_t rank = 0; rank < pids.size(); ++rank) {
      ASSERT_EQ(last.ranks[rank].rank, static_cast<int>(rank));
      ASSERT_EQ(std::to_string(last.ranks[rank].pid), pids[rank]);
      ASSERT_EQ(last.ranks[rank].host, world.hostname());
      ASSERT_EQ(last.ranks[rank].step, 1000 + static_cast<std::int64_t>(rank));
      ASSERT_EQ(last.ranks[rank].epoch, 3);
      ASSERT_EQ(last.ranks[rank].phase, Phase::training);
    }
  }
  world.barrier();
  // They go on: a later step of every rank arrives as well.
  board.step(3, 8, 2000 + world.rank(), 0);
  if (world.rank() == 0) {
    const auto all_later = [](const Status& status) {
      return std::all_of(status.ranks.begin(), status.ranks.end(), [](const RankStatus& rank) { return rank.step >= 2000; });
    };
    const Status last = CoordinatorClient::of_run(dir.path()).watch(std::chrono::milliseconds(50), [&](const Status& status) {
      return !all_later(status);
    });
    EXPECT_TRUE(all_later(last));
  }
  world.barrier();
}

TEST(Coordinator, RanksMayLeaveInAnyOrder) {
  const World& world = test::world();
  for (int first = 0; first < world.size(); ++first) {
    const SharedDir dir;
    StatusBoard board;
    std::optional<Coordinator> coordinator(std::in_place, world, board, options_of(dir.path()));
    if (world.rank() == first) coordinator.reset();
    world.barrier();
    coordinator.reset();
    world.barrier();
  }
}

TEST(Coordinator, AnErrorOfRankZeroIsThrownOnAllRanks) {
  const SharedDir dir;
  StatusBoard board;
  expect_error([&] { Coordinator(test::world(), board, options_of(dir.path() + "/absent")); }, {"absent", "No such file or directory"});
  test::world().barrier();
}

}  // namespace
}  // namespace lockstep::testing
