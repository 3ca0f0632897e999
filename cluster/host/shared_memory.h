#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/world.h"

namespace lockstep {

/// Zeroed memory that all ranks of a host read and write, a page-aligned segment for each: a file in /dev/shm that has lost its name before
/// it is used (plain memory where a rank is alone on its host). Construction is collective and throws AgreedError where there is no room.
/// Destruction is local: the other ranks keep theirs. The file has all its pages from the start, so that no write finds /dev/shm full.
class SharedMemory {
 public:
  /// Bytes of a segment.
  struct Part {
    std::size_t offset, bytes;
  };
  /// Ranks may differ in `bytes`, those of this rank's own segment. `parts`, from all ranks or from none: what is ever touched of this
  /// rank's segment. The rest of it gets no pages.
  SharedMemory(const World& world, std::size_t bytes, std::optional<std::vector<Part>> parts = {});
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Segment of the rank with this local_rank().
  std::byte* segment(int local_rank) const { return segments_[static_cast<std::size_t>(local_rank)]; }
  /// Of this rank's own segment, in bytes: whole pages.
  std::size_t size() const { return size_; }
  /// What a segment of `bytes`, or these parts of it, take of /dev/shm: whole pages.
  static std::size_t pages(std::size_t bytes);
  static std::size_t pages(std::span<const Part> parts);

 private:
  std::size_t size_, mapped_ = 0;
  std::byte* memory_ = nullptr;
  std::vector<std::byte*> segments_;
};

/// Waiting for another rank of the host: spins, since that is some 50 us of patience at most; gives the core away (sched_yield) after that,
/// and at once when the ranks of the host have fewer cores than they are.
class SpinWait {
 public:
  /// Collective.
  explicit SpinWait(const World& world);
  template <class Done>
  void until(const Done& done) const {
    std::optional<ScopedStage> stage;  // told only once it takes longer
    for (int spins = 0; !done();) {
      relax();
      if (++spins < patience_) continue;
      if (!stage) stage.emplace(activity_, Stage::host_flags);
      yield();
      spins = 0;
    }
  }

 private:
  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  static void yield();
  Activity& activity_;
  int patience_;  // spins before yielding
};

/// A barrier among the ranks of a host that spins on flags in shared memory: about a cache line's round trip, no MPI call.
class SpinBarrier {
 public:
  /// Collective.
  explicit SpinBarrier(const World& world);
  /// Collective. What any rank wrote before is seen by all ranks afterwards.
  void wait();

 private:
  SharedMemory flags_;
  SpinWait spin_;
  int local_rank_, local_size_;
  std::uint32_t generation_ = 0;
};

}  // namespace lockstep
