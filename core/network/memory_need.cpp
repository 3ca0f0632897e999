#include "core/network/memory_need.h"

#include <fmt/format.h>

#include <string>

#include "cluster/error.h"
#include "cluster/host/process_limits.h"
#include "core/network/network.h"

namespace lockstep {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string gib(double bytes) { return fmt::format("{:.1f} GiB", bytes / kGiB); }

/// "the host has 3.2 GiB available (end other programs ...)"
std::string room_text(const MemoryRoom& room) {
  return room.limit.empty() ? "more than there is" : fmt::format("{} ({})", room.limit, room.option);
}

}  // namespace

MemoryNeed MemoryNeed::of(Network& network, std::size_t slots, std::int64_t own, std::int64_t truth_width, bool backward) {
  MemoryNeed need;
  for (const Variable& variable : network.variables()) need.parameters += elements(variable.shape);
  need.weights = (static_cast<double>(network.parameters().size()) +
                  static_cast<double>(network.trainable_parameters()) * static_cast<double>(slots)) *
                 sizeof(float);
  double floats = static_cast<double>(network.input_width() + network.output_width() + truth_width);
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    floats += static_cast<double>(network.ops()[i]->out) * (backward && i >= network.first_trainable() ? 2 : 1);
  }
  need.row = floats * sizeof(float);
  need.rows = static_cast<double>(own) * need.row;
  return need;
}

void MemoryNeed::check(int ranks) const {
  if (const MemoryRoom host = host_memory_room(); of_host(ranks) - taken > host.bytes) fail(host);
  if (const MemoryRoom own = process_memory_room(); of_host(1) - taken > own.bytes) fail(own);
}

void MemoryNeed::fail() const { fail(memory_room()); }

void MemoryNeed::fail(const MemoryRoom& room) const {
  throw Error(fmt::format("a model of {} parameters{} needs about {} on this rank; {}. Make the model smaller{}", parameters,
                          batch > 0 ? fmt::format(" and batch {}", batch) : "", gib(of_host(1)), room_text(room),
                          batch > 0 ? " or the batch, or train on more hosts" : ""));
}

void expect_memory(double bytes, const std::string& what, const std::string& remedy) {
  const MemoryRoom room = memory_room();
  if (bytes > room.bytes) throw Error(fmt::format("{} needs about {} of memory; {}. {}", what, gib(bytes), room_text(room), remedy));
}

}  // namespace lockstep
