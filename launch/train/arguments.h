#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// What the command line of `lockstep train` says.
struct TrainArguments {
  std::string config, resume, run_dir, data, allreduce, exchange, progress, trace;
  std::vector<std::string> sets;
  std::int64_t epochs = 0, batch_size = 0;
  bool continue_run = false;  ///< --continue
  std::optional<std::uint64_t> seed;
  int threads = 0, verbose = 1;
  bool reproducible = false;
  double timeout = 0;
};

}  // namespace lockstep
