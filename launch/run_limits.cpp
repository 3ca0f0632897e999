#include "launch/run_limits.h"

#include "cluster/process_limits.h"

namespace lockstep {
namespace {

constexpr double kMiB = 1 << 20;
constexpr int kThreads = 6, kCoordinatorThreads = 16;            // beside those that train: checkpoints, the watchdog; gRPC's
constexpr double kStack = 8 * kMiB, kCoordinatorSpace = 832 * kMiB;  // each of gRPC's threads reserves 64 MiB for what it allocates

}  // namespace

void check_rank_limits(int ranks, int threads, bool coordinator) {
  check_open_files(ranks);
  check_address_space((threads + kThreads) * kStack + (coordinator ? kCoordinatorSpace : 0),
                      coordinator ? "a run with the coordinator (--set coordinator.enabled=false goes without)" : "a run");
  check_threads(threads + kThreads + (coordinator ? kCoordinatorThreads : 0));
}

double shared_model_bytes(Sequential& model, std::int64_t batch_size, std::size_t ranks) {
  double parameters = 0, widths = static_cast<double>(elements(model.input_shape()));
  for (const WeightView& weight : model.weights()) parameters += static_cast<double>(weight.values.size());
  for (std::size_t layer = 0; layer < model.layers().size(); ++layer) {
    widths += 2 * static_cast<double>(elements(model.output_shape(layer)));
  }
  return 4 * (parameters * (static_cast<double>(ranks) + 1) + widths * static_cast<double>(batch_size));
}

}  // namespace lockstep
