#include "cluster/collectives/allreduce.h"

#include <algorithm>
#include <array>

#include "cluster/collectives/algorithms.h"
#include "cluster/collectives/allreduce_table.h"

namespace lockstep {
namespace {

std::unique_ptr<Allreduce> make_measured(const World& world) { return make_allreduce(world, measure_allreduce(world)); }

struct Row {
  AllreduceAlgorithm algorithm;
  std::string_view name;
  std::unique_ptr<Allreduce> (*make)(const World&);
};

// In the order of AllreduceAlgorithm.
constexpr std::array kAlgorithms = {
    Row{AllreduceAlgorithm::automatic, "auto", make_measured},
    Row{AllreduceAlgorithm::shared, "shared", make_shared_allreduce},
    Row{AllreduceAlgorithm::ring, "ring", make_ring_allreduce},
    Row{AllreduceAlgorithm::halving_doubling, "halving-doubling", make_halving_doubling_allreduce},
    Row{AllreduceAlgorithm::recursive_doubling, "recursive-doubling", make_recursive_doubling_allreduce},
    Row{AllreduceAlgorithm::mpi, "mpi", make_mpi_allreduce},
};
static_assert([] {
  for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (kAlgorithms[i].algorithm != static_cast<AllreduceAlgorithm>(i)) return false;
  }
  return kAlgorithms.back().algorithm == kLastAllreduceAlgorithm;
}());
constexpr auto kNames = [] {
  std::array<std::string_view, kAlgorithms.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kAlgorithms[i].name;
  return names;
}();

void check_one_host(const World& world) {
  if (world.hosts() == 1) return;
  std::string hosts, last;
  for (const std::string& host : world.all_gather(world.hostname())) {
    if (host != last) hosts += (hosts.empty() ? "" : ", ") + host;
    last = host;
  }
  world.agree([&] {
    throw Error("allreduce 'shared' works within one host, but the ranks are on " + std::to_string(world.hosts()) + " (" + hosts +
                    "); use auto, ring, halving-doubling, recursive-doubling or mpi",
                kUsage);
  });
}

}  // namespace

std::span<const std::string_view> allreduce_names() { return kNames; }

AllreduceAlgorithm allreduce_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<AllreduceAlgorithm>(found - kNames.begin());
  std::string known;
  for (const std::string_view one : kNames) known += (known.empty() ? "" : ", ") + std::string(one);
  throw Error("unknown allreduce '" + std::string(name) + "'; there are: " + known, kUsage);
}

std::string_view allreduce_name(AllreduceAlgorithm algorithm) { return kNames[static_cast<std::size_t>(algorithm)]; }

std::size_t shared_allreduce_bytes(int local_ranks) { return static_cast<std::size_t>(local_ranks) * shared_bytes_of_rank(); }

std::unique_ptr<Allreduce> make_allreduce(const World& world, AllreduceAlgorithm algorithm) {
  if (algorithm == AllreduceAlgorithm::shared) check_one_host(world);
  if (world.communicator() == nullptr) return make_shared_allreduce(world);
  return kAlgorithms[static_cast<std::size_t>(algorithm)].make(world);
}

}  // namespace lockstep
