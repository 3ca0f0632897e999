// Ring allreduce (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69, 2009), pipelined in segments.
//
// The buffer is cut into N chunks, one per rank. In step s = 0 .. N-2 (reduce-scatter) rank r sends chunk r-s to its right neighbour and
// adds the chunk r-s-1 that comes from the left; after N-1 steps rank r holds the whole sum of chunk r+1. In steps N-1 .. 2N-3
// (all-gather) the finished chunks go round once more. Every rank sends 2 (N-1)/N S bytes for a buffer of S bytes, which is the least
// possible, in 2 (N-1) steps.
//
// A chunk is cut into segments. What a rank receives in step s is exactly what it sends in step s+1, so a segment is passed on as soon as it
// has been added: while one segment is being added, the next ones are on the wire. Item k = step * segments + segment counts through
// all of them; receives are posted up to kAhead items ahead. Across hosts segments stay below Open MPI's eager limit for TCP: larger messages need a
// handshake that waits behind the data of the other direction, and the link then runs in one direction at a time.
#include <mpi.h>

#include <algorithm>

#include "cluster/allreduce_algorithms.h"
#include "cluster/clones.h"
#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

constexpr std::size_t kSegmentBytesOnHost = 1U << 20U;
constexpr std::size_t kSegmentBytesBetweenHosts = 56U << 10U;
constexpr std::size_t kAhead = 4;
constexpr int kTag = 71;

LOCKSTEP_CLONES void add(float* to, const float* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}
LOCKSTEP_CLONES void add(double* to, const double* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

class RingAllreduce final : public Allreduce {
 public:
  explicit RingAllreduce(const World& world)
      : comm_(*static_cast<const MPI_Comm*>(world.communicator())),
        ranks_(static_cast<std::size_t>(world.size())),
        rank_(static_cast<std::size_t>(world.rank())),
        segment_bytes_(world.hosts() > 1 ? kSegmentBytesBetweenHosts : kSegmentBytesOnHost),
        scratch_((kAhead + 1) * segment_bytes_ / sizeof(double)) {}

  std::string_view name() const override { return "ring"; }
  void sum(std::span<float> data) override { reduce(data, MPI_FLOAT); }
  void sum(std::span<double> data) override { reduce(data, MPI_DOUBLE); }
  std::span<float> allocate(std::size_t count) override { return arena_.allocate(count); }

 private:
  /// Where the items of one call lie.
  struct Plan {
    std::size_t count, ranks, rank, chunk, segment, segments;
    std::size_t items() const { return 2 * (ranks - 1) * segments; }
    bool adds(std::size_t item) const { return item / segments < ranks - 1; }
    /// Elements [first, last) of segment `item % segments` of the chunk `back` places behind this rank.
    std::pair<std::size_t, std::size_t> piece(std::size_t item, std::size_t back) const {
      const std::size_t c = (rank + 2 * ranks - back) % ranks;
      const std::size_t chunk_end = std::min(count, (c + 1) * chunk);
      const std::size_t first = std::min(chunk_end, c * chunk + item % segments * segment);
      return {first, std::min(chunk_end, first + segment)};
    }
    std::pair<std::size_t, std::size_t> sent(std::size_t item) const { return piece(item, item / segments); }
    std::pair<std::size_t, std::size_t> received(std::size_t item) const { return piece(item, item / segments + 1); }
  };

  template <class T>
  Plan plan(std::size_t count) const {
    const std::size_t chunk = (count + ranks_ - 1) / ranks_;
    // At least two segments where there is something to overlap.
    const std::size_t most = std::min(segment_bytes_ / sizeof(T), std::max<std::size_t>((chunk + 1) / 2, 4096));
    const std::size_t segments = std::max<std::size_t>(1, (chunk + most - 1) / most);
    return {count, ranks_, rank_, chunk, most, segments};
  }

  template <class T>
  void reduce(std::span<T> data, MPI_Datatype type) {
    if (ranks_ == 1 || data.empty()) return;
    const Plan p = plan<T>(data.size());
    sends_.resize(p.items());
    receives_.resize(p.items());
    const int right = static_cast<int>((rank_ + 1) % ranks_), left = static_cast<int>((rank_ + ranks_ - 1) % ranks_);
    const auto slot = [&](std::size_t k) { return reinterpret_cast<T*>(scratch_.data()) + k % (kAhead + 1) * (segment_bytes_ / sizeof(T)); };
    const auto send = [&](std::size_t k) {
      const auto [first, last] = p.sent(k);
      mpi(MPI_Isend(data.data() + first, static_cast<int>(last - first), type, right, kTag, comm_, &sends_[k]), "MPI_Isend");
    };
    const auto receive = [&](std::size_t k) {
      const auto [first, last] = p.received(k);
      // The all-gather overwrites what was sent ranks - 1 steps before: that send must be over.
      if (!p.adds(k)) mpi(MPI_Wait(&sends_[k - (ranks_ - 1) * p.segments], MPI_STATUS_IGNORE), "MPI_Wait");
      T* const to = p.adds(k) ? slot(k) : data.data() + first;
      mpi(MPI_Irecv(to, static_cast<int>(last - first), type, left, kTag, comm_, &receives_[k]), "MPI_Irecv");
    };
    const std::size_t ahead = std::min(kAhead, p.segments);  // never past a send that has not been started
    for (std::size_t k = 0; k < ahead; ++k) receive(k);
    for (std::size_t k = 0; k < p.segments; ++k) send(k);
    for (std::size_t k = 0; k < p.items(); ++k) {
      mpi(MPI_Wait(&receives_[k], MPI_STATUS_IGNORE), "MPI_Wait");
      const auto [first, last] = p.received(k);
      if (p.adds(k)) add(data.data() + first, slot(k), last - first);
      if (k + p.segments < p.items()) send(k + p.segments);
      if (k + ahead < p.items()) receive(k + ahead);
    }
    mpi(MPI_Waitall(static_cast<int>(p.items()), sends_.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  }

  MPI_Comm comm_;
  std::size_t ranks_, rank_, segment_bytes_;
  std::vector<double> scratch_;  // kAhead + 1 segments
  std::vector<MPI_Request> sends_, receives_;
  PrivateArena arena_;
};

}  // namespace

std::unique_ptr<Allreduce> make_ring_allreduce(const World& world) { return std::make_unique<RingAllreduce>(world); }

}  // namespace lockstep
