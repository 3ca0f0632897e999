#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "cluster/world.h"

namespace lockstep {

/// Arrays that every host keeps in memory of its own, shared by its ranks, and of which each rank of the job fills a part: carries every
/// part to all other hosts. A rank sends its part once to each of them, to the rank there whose local rank is its own modulo the ranks of
/// that host. With one host there is nothing to do. MPI point-to-point in both directions at once.
class HostMessages {
 public:
  /// Collective.
  explicit HostMessages(const World& world);
  ~HostMessages();
  HostMessages(const HostMessages&) = delete;
  HostMessages& operator=(const HostMessages&) = delete;

  /// Registers an array of which this rank fills [offset, offset + count); all hosts' have the same length. Collective. Returns its number.
  std::size_t add(std::span<float> array, std::size_t offset, std::size_t count);
  /// Starts sending this rank's part, which is complete, and receiving the others'. All ranks start the same arrays in the same order.
  void start(std::size_t array);
  /// Waits for all that was started. The parts received are seen by this rank; a barrier among the host's ranks shows them to the others.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
