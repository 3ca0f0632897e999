#include "cluster/allreduce.h"

#include "cluster/allreduce_algorithms.h"

namespace lockstep {

AllreduceAlgorithm allreduce_from_name(std::string_view name) {
  if (name == "auto") return AllreduceAlgorithm::automatic;
  if (name == "shared") return AllreduceAlgorithm::shared;
  if (name == "ring") return AllreduceAlgorithm::ring;
  if (name == "mpi") return AllreduceAlgorithm::mpi;
  throw Error("unknown allreduce '" + std::string(name) + "'; there are: auto, shared, ring, mpi", kUsage);
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
