#include "cluster/allreduce.h"

#include <algorithm>
#include <array>

#include "cluster/allreduce_algorithms.h"

namespace lockstep {

namespace {

constexpr std::array<std::string_view, 4> kNames = {"auto", "shared", "ring", "mpi"};  // in the order of AllreduceAlgorithm

}  // namespace

std::span<const std::string_view> allreduce_names() { return kNames; }

AllreduceAlgorithm allreduce_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<AllreduceAlgorithm>(found - kNames.begin());
  std::string known;
  for (const std::string_view one : kNames) known += (known.empty() ? "" : ", ") + std::string(one);
  throw Error("unknown allreduce '" + std::string(name) + "'; there are: " + known, kUsage);
}

std::unique_ptr<Allreduce> make_allreduce(const World& world, AllreduceAlgorithm algorithm) {
  if (algorithm == AllreduceAlgorithm::shared && world.hosts() > 1) {
    std::string hosts;
    std::string last;
    for (const std::string& host : world.all_gather(world.hostname())) {
      if (host != last) hosts += (hosts.empty() ? "" : ", ") + host;
      last = host;
    }
    world.agree([&] {
      throw Error("allreduce 'shared' works within one host, but the ranks are on " + std::to_string(world.hosts()) + " (" + hosts +
                      "); use auto, ring or mpi",
                  kUsage);
    });
  }
  if (world.communicator() == nullptr || (algorithm == AllreduceAlgorithm::automatic && world.hosts() == 1)) return make_shared_allreduce(world);
  switch (algorithm) {
    case AllreduceAlgorithm::shared: return make_shared_allreduce(world);
    case AllreduceAlgorithm::mpi: return make_mpi_allreduce(world);
    default: return make_ring_allreduce(world);
  }
}

}  // namespace lockstep
