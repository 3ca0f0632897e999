#include "core/memory_need.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <string>

#include "cluster/error.h"
#include "cluster/process_limits.h"
#include "core/network.h"

namespace lockstep {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

struct HostMemory {
  double memory = 0, swap = 0;  // bytes
};

HostMemory host_memory() {
  struct sysinfo info{};
  if (sysinfo(&info) != 0) return {};
  return {static_cast<double>(info.totalram) * info.mem_unit, static_cast<double>(info.totalswap) * info.mem_unit};
}

}  // namespace

MemoryNeed MemoryNeed::of(Network& network, std::size_t slots, std::int64_t own, std::int64_t truth_width, bool backward) {
  MemoryNeed need;
  for (const Variable& variable : network.variables()) need.parameters += elements(variable.shape);
  need.weights = static_cast<double>(network.parameters().size() * (1 + slots) * sizeof(float));
  double floats = static_cast<double>(network.input_width() + network.output_width() + truth_width);
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    floats += static_cast<double>(network.ops()[i]->out) * (backward && i >= network.first_trainable() ? 2 : 1);
  }
  need.rows = static_cast<double>(own) * floats * sizeof(float);
  return need;
}

void MemoryNeed::check(int ranks) const {
  const HostMemory host = host_memory();
  if ((host.memory > 0 && weights + rows * ranks > host.memory + host.swap) || weights + rows > memory_room().bytes) fail();
}

void MemoryNeed::fail() const {
  const MemoryRoom room = memory_room();
  const std::string limit = room.limit.empty() ? "more than there is" : fmt::format("{}, of which {:.1f} GiB are left ({})", room.limit, room.bytes / kGiB, room.option);
  throw Error(fmt::format("a model of {} parameters{} needs about {:.1f} GiB on this rank; {}. Make the model smaller{}", parameters,
                          batch > 0 ? fmt::format(" and batch {}", batch) : "", (weights + rows) / kGiB, limit,
                          batch > 0 ? " or the batch, or train on more hosts" : ""));
}

}  // namespace lockstep
