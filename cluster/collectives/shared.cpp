// Sums inside one host through shared memory: no message is sent and, for buffers that live there, nothing is copied. N ranks, S bytes.
//
// Small buffers are exchanged flat: a rank copies its own into its slot, tells so by a flag in front of it, and adds up all slots. Two
// slots take turns, so that one flag is all the synchronisation there is: who has seen everybody's flag of one sum knows that the slots of
// the sum before have been read. What fits into the flag's cache line travels with the flag. Cost: S written, N S read, one line's way.
//
// Of larger ones each rank owns slice r. After a barrier (all buffers are complete) it adds up slice r of all N buffers and writes the sum
// into slice r of all N buffers; a second barrier tells that every slice is done. Nobody else touches slice r, so the two barriers are all
// the synchronisation there is. Cost per rank: S bytes read, S bytes written, two barriers. It goes block by block, a block's sums first
// and then its copies: the neighbour's lines come in streams and leave in streams, four times as fast as line by line.
//
// A buffer of private memory passes through shared memory in pieces: other ranks' slices of it in, the sums of theirs out. Copying piece k
// in, summing piece k - 1 and copying piece k - 2 out go on between the same two barriers.
//
// The order of additions is the aligned binary tree over ranks, ((0 + 1) + (2 + 3)) + ..., on every path.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "cluster/clones.h"
#include "cluster/collectives/algorithms.h"
#include "cluster/host/shared_memory.h"

namespace lockstep {
namespace {

constexpr std::size_t kLine = 64;
// Up to here the second barrier costs more than reading all of every buffer and, for shared ones, than the copy into a slot.
constexpr std::size_t kFlatShared = 256, kFlatPrivate = 1024;
constexpr std::size_t kInlineBytes = kLine - 8;  // behind a flag in its line
constexpr std::size_t kSlotBytes = kLine + kFlatPrivate;
constexpr std::size_t kPieceBytes = 256U << 10U;  // of private memory: four of them stay in the second-level cache
constexpr std::size_t kSlots = 2 * kSlotBytes, kStaging = 4 * kPieceBytes;  // of a rank
constexpr std::size_t kBlockBytes = 1024;                                   // summed at a time: stays in the first-level cache

template <class T>
inline __attribute__((always_inline)) void add_pair(T* __restrict dest, const T* a, const T* b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) dest[i] = a[i] + b[i];
}

template <class T>
inline __attribute__((always_inline)) void add_to(T* __restrict dest, const T* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) dest[i] += from[i];
}

LOCKSTEP_CLONES void add(float* dest, const float* a, const float* b, std::size_t count) { add_pair(dest, a, b, count); }
LOCKSTEP_CLONES void add(double* dest, const double* a, const double* b, std::size_t count) { add_pair(dest, a, b, count); }
LOCKSTEP_CLONES void add(float* dest, const float* from, std::size_t count) { add_to(dest, from, count); }
LOCKSTEP_CLONES void add(double* dest, const double* from, std::size_t count) { add_to(dest, from, count); }

/// dest[i] = sum of source[at + i] over the sources, at most a block of them, in the order of the aligned tree. dest is none of the
/// sources.
template <class T>
void add_tree(std::span<T* const> sources, std::size_t at, std::size_t count, T* dest) {
  if (sources.size() == 2) return add(dest, sources[0] + at, sources[1] + at, count);
  const std::size_t left = std::bit_floor(sources.size() - 1);  // a whole subtree, and more than the rest
  add_tree(sources.first(left), at, count, dest);
  if (left + 1 == sources.size()) return add(dest, sources[left] + at, count);
  T rest[kBlockBytes / sizeof(T)];
  add_tree(sources.subspan(left), at, count, rest);
  add(dest, rest, count);
}

class SharedAllreduce final : public Allreduce {
 public:
  explicit SharedAllreduce(const World& world)
      : world_(world),
        ranks_(static_cast<std::size_t>(world.size())),
        rank_(static_cast<std::size_t>(world.local_rank())),
        barrier_(world),
        slots_(world, ranks_ == 1 ? 1 : kSlots),
        staging_(world, ranks_ == 1 ? 1 : kStaging),
        spin_(world) {
    floats_.resize(ranks_);
    doubles_.resize(ranks_);
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
  void reduce(std::span<T> data, std::vector<T*>& pointers) {
    if (ranks_ == 1 || data.empty()) return;
    const std::span<T*> sources(pointers.data(), ranks_);
    const std::size_t bytes = data.size_bytes();
    if (bytes <= kFlatShared) return flat(data, sources);
    auto* const start = reinterpret_cast<std::byte*>(data.data());
    for (const auto& arena : arenas_) {
      std::byte* const own = arena->segment(world_.local_rank());
      if (start >= own && start + bytes <= own + arena->size())
        return in_place(*arena, static_cast<std::size_t>(start - own), data.size(), sources);
    }
    if (bytes <= kFlatPrivate) return flat(data, sources);
    staged(data, sources);
  }

  // --- flat ---
  std::byte* slot(std::size_t rank) const { return slots_.segment(static_cast<int>(rank)) + (generation_ & 1U) * kSlotBytes; }
  std::atomic_ref<std::uint32_t> flag(std::size_t rank) const {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(slot(rank)));
  }

  template <class T>
  void flat(std::span<T> data, std::span<T*> sources) {
    ++generation_;
    const std::size_t place = data.size_bytes() <= kInlineBytes ? kLine - kInlineBytes : kLine;
    for (std::size_t r = 0; r < ranks_; ++r) sources[r] = reinterpret_cast<T*>(slot(r) + place);
    std::memcpy(sources[rank_], data.data(), data.size_bytes());
    flag(rank_).store(generation_, std::memory_order_release);
    for (std::size_t r = 0; r < ranks_; ++r) spin_.until([&] { return flag(r).load(std::memory_order_acquire) == generation_; });
    for_blocks<T>(0, data.size(), [&](std::size_t at, std::size_t count) { add_tree<T>(sources, at, count, data.data() + at); });
  }

  // --- by slices ---
  template <class T>
  std::pair<std::size_t, std::size_t> slice(std::size_t rank, std::size_t count) const {
    const std::size_t line = kLine / sizeof(T), lines = (count + line - 1) / line;
    return {std::min(count, lines * rank / ranks_ * line), std::min(count, lines * (rank + 1) / ranks_ * line)};
  }

  template <class T, class Block>
  static void for_blocks(std::size_t first, std::size_t last, const Block& block) {
    constexpr std::size_t kMost = kBlockBytes / sizeof(T);
    for (std::size_t at = first; at < last; at += kMost) block(at, std::min(kMost, last - at));
  }

  template <class T>
  void in_place(const SharedMemory& memory, std::size_t offset, std::size_t count, std::span<T*> buffers) {
    for (std::size_t r = 0; r < ranks_; ++r) buffers[r] = reinterpret_cast<T*>(memory.segment(static_cast<int>(r)) + offset);
    const auto [first, last] = slice<T>(rank_, count);
    barrier_.wait();
    if (ranks_ == 2) {
      T *const own = buffers[rank_], *const other = buffers[1 - rank_];
      for_blocks<T>(first, last, [&](std::size_t at, std::size_t n) {
        add(own + at, other + at, n);
        std::memcpy(other + at, own + at, n * sizeof(T));
      });
    } else {
      for_blocks<T>(first, last, [&](std::size_t at, std::size_t n) {
        T total[kBlockBytes / sizeof(T)];
        add_tree<T>(buffers, at, n, total);
        for (T* buffer : buffers) std::memcpy(buffer + at, total, n * sizeof(T));
      });
    }
    barrier_.wait();
  }

  // --- private memory ---
  template <class T>
  T* staging(std::size_t rank, std::size_t part) const {
    return reinterpret_cast<T*>(staging_.segment(static_cast<int>(rank)) + part * kPieceBytes);
  }

  template <class T>
  void staged(std::span<T> data, std::span<T*> sources) {
    constexpr std::size_t kPiece = kPieceBytes / sizeof(T);
    const std::size_t pieces = (data.size() + kPiece - 1) / kPiece;
    const auto piece = [&](std::size_t k) { return data.subspan(k * kPiece, std::min(kPiece, data.size() - k * kPiece)); };
    for (std::size_t k = 0; k < pieces + 2; ++k) {
      if (k > 0) barrier_.wait();
      if (k >= 2) copy_sums(piece(k - 2), k & 1U);
      if (k >= 1 && k <= pieces) sum_piece(piece(k - 1), ~k & 1U, sources);
      if (k < pieces) copy_others(piece(k), k & 1U);
    }
  }

  /// The slices of `piece` that other ranks sum.
  template <class T>
  void copy_others(std::span<T> piece, std::size_t turn) {
    const auto [first, last] = slice<T>(rank_, piece.size());
    T* const to = staging<T>(rank_, turn);
    std::memcpy(to, piece.data(), first * sizeof(T));
    std::memcpy(to + last, piece.data() + last, (piece.size() - last) * sizeof(T));
  }

  template <class T>
  void sum_piece(std::span<T> piece, std::size_t turn, std::span<T*> sources) {
    for (std::size_t r = 0; r < ranks_; ++r) sources[r] = r == rank_ ? piece.data() : staging<T>(r, turn);
    T* const sums = staging<T>(rank_, 2 + turn);
    const auto [first, last] = slice<T>(rank_, piece.size());
    for_blocks<T>(first, last, [&](std::size_t at, std::size_t count) {
      T total[kBlockBytes / sizeof(T)];
      add_tree<T>(sources, at, count, total);
      std::memcpy(piece.data() + at, total, count * sizeof(T));
      std::memcpy(sums + at, total, count * sizeof(T));
    });
  }

  template <class T>
  void copy_sums(std::span<T> piece, std::size_t turn) {
    for (std::size_t r = 0; r < ranks_; ++r) {
      if (r == rank_) continue;
      const auto [first, last] = slice<T>(r, piece.size());
      std::memcpy(piece.data() + first, staging<T>(r, 2 + turn) + first, (last - first) * sizeof(T));
    }
  }

  const World& world_;
  std::size_t ranks_, rank_;
  SpinBarrier barrier_;
  SharedMemory slots_;    // two of each rank: a line that starts with the flag, the buffer
  SharedMemory staging_;  // four pieces of each rank: two that others sum, two sums
  SpinWait spin_;
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<SharedMemory>> arenas_;
  std::vector<float*> floats_;  // scratch
  std::vector<double*> doubles_;
};

}  // namespace

std::size_t shared_bytes_of_rank() {
  const std::size_t barrier = SharedMemory::pages(sizeof(std::uint32_t));
  return barrier + SharedMemory::pages(kSlots) + SharedMemory::pages(kStaging);
}

std::unique_ptr<Allreduce> make_shared_allreduce(const World& world) { return std::make_unique<SharedAllreduce>(world); }

}  // namespace lockstep
