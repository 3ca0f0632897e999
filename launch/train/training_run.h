#pragma once
#include <functional>
#include <vector>

#include "cluster/watchdog/signals.h"
#include "cluster/world.h"
#include "core/training/callbacks.h"
#include "launch/train/arguments.h"

namespace lockstep {

/// For whoever watches a training from inside. On every rank.
struct TrainingObserver {
  std::function<void()> directory_made = [] {}, coordinator_up = [] {};
  std::vector<Callback*> callbacks = {};  ///< of fit(), behind its own
};

/// A training from its configuration, or the run directory to resume, to result.json. Throws AgreedExit with code 75 where it was
/// interrupted after a checkpoint. Collective.
void run_training(const TrainArguments& arguments, const World& world, StopSignals& signals, const TrainingObserver& observer = {});

}  // namespace lockstep
