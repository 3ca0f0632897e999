// Sums inside one host through shared memory: no message is sent and, for buffers that live there, nothing is copied.
//
// Each of N ranks owns slice r of the buffer. After a barrier (all buffers are complete) it adds up slice r of all N buffers, in order of
// rank, and writes the sum into slice r of all N buffers; a second barrier tells that every slice is done. Nobody else touches slice r, so
// the two barriers are all the synchronisation there is. Cost per rank: S bytes read, S bytes written (S = size of the buffer), two barriers.
#include <algorithm>
#include <cstring>

#include "cluster/allreduce_algorithms.h"
#include "cluster/clones.h"
#include "cluster/shared_memory.h"

namespace lockstep {
namespace {

constexpr std::size_t kStagingBytes = 1U << 20U;  // per rank, for buffers that do not live in shared memory
constexpr std::size_t kLine = 64;
constexpr std::size_t kBlock = 1024;  // elements summed at a time: stays in the first-level cache

template <class T>
inline __attribute__((always_inline)) void sum_blocks(const std::vector<T*>& buffers, std::size_t first, std::size_t last) {
  T total[kBlock];
  for (std::size_t at = first; at < last; at += kBlock) {
    const std::size_t count = std::min(kBlock, last - at);
    std::memcpy(total, buffers[0] + at, count * sizeof(T));
    for (std::size_t r = 1; r < buffers.size(); ++r) {
      const T* from = buffers[r] + at;
      for (std::size_t i = 0; i < count; ++i) total[i] += from[i];
    }
    for (T* buffer : buffers) std::memcpy(buffer + at, total, count * sizeof(T));
  }
}

LOCKSTEP_CLONES void sum_slice(const std::vector<float*>& buffers, std::size_t first, std::size_t last) { sum_blocks(buffers, first, last); }
LOCKSTEP_CLONES void sum_slice(const std::vector<double*>& buffers, std::size_t first, std::size_t last) { sum_blocks(buffers, first, last); }

class SharedAllreduce final : public Allreduce {
 public:
  explicit SharedAllreduce(const World& world)
      : world_(world), barrier_(world), staging_(world, world.size() == 1 ? 1 : kStagingBytes) {
    floats_.resize(static_cast<std::size_t>(world.size()));
    doubles_.resize(static_cast<std::size_t>(world.size()));
  }

  std::string_view name() const override { return "shared"; }
  void sum(std::span<float> data) override { reduce(data, floats_); }
  void sum(std::span<double> data) override { reduce(data, doubles_); }

  std::span<float> allocate(std::size_t count) override {
    arenas_.push_back(std::make_unique<SharedMemory>(world_, count * sizeof(float)));
    return {reinterpret_cast<float*>(arenas_.back()->segment(world_.local_rank())), count};
  }

 private:
  template <class T>
  void reduce(std::span<T> data, std::vector<T*>& buffers) {
    if (world_.size() == 1 || data.empty()) return;
    auto* const start = reinterpret_cast<std::byte*>(data.data());
    for (const auto& arena : arenas_) {
      std::byte* const own = arena->segment(world_.local_rank());
      if (start < own || start + data.size_bytes() > own + arena->size()) continue;
      return in_place(*arena, static_cast<std::size_t>(start - own), data.size(), buffers);
    }
    for (std::size_t at = 0; at < data.size(); at += kStagingBytes / sizeof(T)) {
      const std::span<T> piece = data.subspan(at, std::min(kStagingBytes / sizeof(T), data.size() - at));
      std::byte* const own = staging_.segment(world_.local_rank());
      std::memcpy(own, piece.data(), piece.size_bytes());
      in_place(staging_, 0, piece.size(), buffers);
      std::memcpy(piece.data(), own, piece.size_bytes());
    }
  }

  template <class T>
  void in_place(const SharedMemory& memory, std::size_t offset, std::size_t count, std::vector<T*>& buffers) {
    for (std::size_t r = 0; r < buffers.size(); ++r) buffers[r] = reinterpret_cast<T*>(memory.segment(static_cast<int>(r)) + offset);
    const auto ranks = static_cast<std::size_t>(world_.size()), rank = static_cast<std::size_t>(world_.local_rank());
    const std::size_t line = kLine / sizeof(T), lines = (count + line - 1) / line;
    barrier_.wait();
    sum_slice(buffers, std::min(count, lines * rank / ranks * line), std::min(count, lines * (rank + 1) / ranks * line));
    barrier_.wait();
  }

  const World& world_;
  SpinBarrier barrier_;
  SharedMemory staging_;
  std::vector<std::unique_ptr<SharedMemory>> arenas_;
  std::vector<float*> floats_;  // scratch: all ranks' buffers
  std::vector<double*> doubles_;
};

}  // namespace

std::unique_ptr<Allreduce> make_shared_allreduce(const World& world) { return std::make_unique<SharedAllreduce>(world); }

}  // namespace lockstep
