#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cluster/world.h"

namespace lockstep {

class AllreduceTable;

/// How buffers are summed over ranks.
///   shared              through shared memory, within one host
///   ring                2 (N-1) steps, the least bytes: large buffers between hosts
///   halving_doubling    2 log2 N steps, the least bytes where N is a power of two
///   recursive_doubling  log2 N steps, the fewest: small buffers between hosts
///   mpi                 MPI_Allreduce: the yardstick
/// `automatic` takes `shared` when all ranks are on one host; else what a measurement at the start found to be the fastest for a buffer's
/// size.
enum class AllreduceAlgorithm { automatic, shared, ring, halving_doubling, recursive_doubling, mpi };
inline constexpr auto kLastAllreduceAlgorithm = AllreduceAlgorithm::mpi;

/// From "auto", "shared", "ring", "halving-doubling", "recursive-doubling", "mpi"; anything else is an Error (kUsage) that lists these.
AllreduceAlgorithm allreduce_from_name(std::string_view name);
std::string_view allreduce_name(AllreduceAlgorithm algorithm);
/// All names that there are, "auto" first.
std::span<const std::string_view> allreduce_names();

/// Sums a buffer over all ranks of a world. All ranks end with the same bits; the order of the additions, hence the last bits, depends on
/// algorithm and number of ranks. (shared, halving-doubling and recursive-doubling add in one aligned binary tree over ranks where N is a
/// power of two.) Collective: make_allreduce, allocate and sum, with equal counts on all ranks, and all ranks pass the same part of the
/// same allocation or all pass memory of their own. Must not outlive its World. One thread at a time.
class Allreduce {
 public:
  virtual ~Allreduce() = default;
  virtual std::string_view name() const = 0;
  /// data[i] <- sum over ranks of data[i]. Any length, 0 and fewer elements than ranks included. Allocates nothing in steady state.
  virtual void sum(std::span<float> data) = 0;
  virtual void sum(std::span<double> data) = 0;
  /// Zeroed memory (64-byte aligned, owned by this object) that sum() works on without a copy: buffers that are summed every step live
  /// here.
  virtual std::span<float> allocate(std::size_t count) = 0;

  /// sum() in parts, one at a time: start() begins, advance() goes on as far as it can without waiting and tells whether it is done,
  /// finish() waits until it is. Without advances() all is done in start().
  virtual bool advances() const { return false; }
  virtual void start(std::span<float> data) { sum(data); }
  virtual bool advance() { return true; }
  virtual void finish() {}
};

/// Collective. `shared` across several hosts is an AgreedError (kUsage) that names the hosts. `automatic` between hosts measures first
/// (measure_allreduce, a fraction of a second).
std::unique_ptr<Allreduce> make_allreduce(const World& world, AllreduceAlgorithm algorithm);

/// What the allreduce `shared` takes of /dev/shm, beside what it is asked to allocate.
std::size_t shared_allreduce_bytes(int local_ranks);

/// Takes for every buffer the algorithm that the table has for its size. Collective.
std::unique_ptr<Allreduce> make_allreduce(const World& world, const AllreduceTable& table);

}  // namespace lockstep
