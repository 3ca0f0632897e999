// The sum over ranks by itself, for profilers: mpirun -np N bench_allreduce. Every rank runs the same number of iterations; rank 0 prints.
// (lockstep bench allreduce compares the algorithms with each other, with spread and rewritten buffers.)
#include <benchmark/benchmark.h>

#include <array>
#include <memory>

#include "cluster/collectives/allreduce.h"
#include "cluster/run.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

constexpr int kIterations = 200;  // equal on all ranks, or they would wait for each other for ever

void sum(benchmark::State& state, const World& world, std::string_view name) {
  const auto count = static_cast<std::size_t>(state.range(0)) / sizeof(float);
  const std::unique_ptr<Allreduce> allreduce = make_allreduce(world, allreduce_from_name(name));
  const std::span<float> data = allreduce->allocate(count);
  for (auto _ : state) {
    std::fill(data.begin(), data.end(), 1.F);  // a buffer that is already equal flatters; the writing is part of the time
    allreduce->sum(data);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// Prints nothing, for all ranks but one.
class Silent final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

void run_all(const World& world) {
  for (const std::string_view name : allreduce_names()) {
    if (name == "mpi" && world.communicator() == nullptr) continue;
    benchmark::RegisterBenchmark(("sum/" + std::string(name)).c_str(), [&world, name](benchmark::State& state) { sum(state, world, name); })
        ->ArgName("bytes")
        ->Arg(64)
        ->Arg(4 << 10)
        ->Arg(64 << 10)
        ->Arg(1 << 20)
        ->Arg(16 << 20)
        ->Iterations(kIterations)
        ->UseRealTime();
  }
  Silent silent;
  if (world.rank() == 0) {
    benchmark::RunSpecifiedBenchmarks();
  } else {
    benchmark::RunSpecifiedBenchmarks(&silent);
  }
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  return lockstep::run(argc, argv, [](lockstep::World& world) { lockstep::run_all(world); });
}
