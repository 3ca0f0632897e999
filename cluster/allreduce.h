#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cluster/world.h"

namespace lockstep {

/// How buffers are summed over ranks. `automatic` takes `shared` when all ranks are on one host and `ring` otherwise.
enum class AllreduceAlgorithm { automatic, shared, ring, mpi };

/// From "auto", "shared", "ring", "mpi"; anything else is an Error (kUsage) that lists these.
AllreduceAlgorithm allreduce_from_name(std::string_view name);
/// All names that there are, "auto" first.
std::span<const std::string_view> allreduce_names();

/// Sums a buffer over all ranks of a world. All ranks end with the same bits; the order of the additions, hence the last bits, depends on
/// algorithm and number of ranks. Collective: make_allreduce, allocate and sum, with equal counts on all ranks, and all ranks pass the same part
/// of the same allocation or all pass memory of their own. Must not outlive its World.
class Allreduce {
 public:
  virtual ~Allreduce() = default;
  virtual std::string_view name() const = 0;
  /// data[i] <- sum over ranks of data[i]. Any length, 0 and fewer elements than ranks included. Allocates nothing in steady state.
  virtual void sum(std::span<float> data) = 0;
  virtual void sum(std::span<double> data) = 0;
  /// Zeroed memory (64-byte aligned, owned by this object) that sum() works on without a copy: buffers that are summed every step live here.
  virtual std::span<float> allocate(std::size_t count) = 0;
};

/// Collective. `shared` across several hosts is an AgreedError (kUsage) that names the hosts.
std::unique_ptr<Allreduce> make_allreduce(const World& world, AllreduceAlgorithm algorithm);

}  // namespace lockstep
