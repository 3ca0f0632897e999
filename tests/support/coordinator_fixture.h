#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <optional>
#include <thread>

#include "cluster/coordinator/client.h"
#include "cluster/coordinator/coordinator.h"
#include "cluster/status/status_board.h"
#include "cluster/world.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep::testing {

/// A run of one rank with its coordinator, in a world where http_proxy leads nowhere.
class CoordinatorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    unsetenv("no_proxy");
    unsetenv("LOCKSTEP_TOKEN");
  }

  CoordinatorTest() {
    RunInfo info;
    info.name = "garments";
    info.run_dir = dir_.path();
    info.model = "Sequential: 5 layers, 266,610 parameters";
    info.epochs = 3;
    info.steps_per_epoch = 100;
    info.batch_size = 32;
    info.metrics = {"loss", "accuracy"};
    info.allreduce = "shared";
    info.versions = {{"lockstep", "0.1.0"}};
    board_.start(info);
    board_.phase(Phase::training);
    board_.step(2, 25, 125, 4000);
    const double values[] = {0.5, 0.75};
    board_.metrics(values);
    board_.times({.compute = 6, .communication = 2, .input = 1, .other = 1});
    coordinator_.emplace(world_, board_, CoordinatorOptions{.heartbeat_seconds = 0.05, .run_dir = dir_.path()});
  }

  /// The training thread: returns once somebody has asked for a checkpoint or a stop.
  Requests wait_for_request() {
    while (!board_.pending().any()) std::this_thread::yield();
    return board_.pending();
  }

  TempDir dir_;
  World world_;
  StatusBoard board_;
  std::optional<Coordinator> coordinator_;
};

}  // namespace lockstep::testing
