#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "cluster/collectives/allreduce.h"
#include "cluster/collectives/steps.h"

namespace lockstep {

std::unique_ptr<Allreduce> make_ring_allreduce(const World& world);
std::unique_ptr<Allreduce> make_halving_doubling_allreduce(const World& world);
std::unique_ptr<Allreduce> make_recursive_doubling_allreduce(const World& world);
std::unique_ptr<Allreduce> make_shared_allreduce(const World& world);
std::unique_ptr<Allreduce> make_mpi_allreduce(const World& world);

/// What the allreduce `shared` takes of /dev/shm for each rank.
std::size_t shared_bytes_of_rank();

/// Allreduce::allocate for algorithms that work on private memory.
class PrivateArena {
 public:
  std::span<float> allocate(std::size_t count) {
    blocks_.emplace_back(new (std::align_val_t{64}) float[count + 1]());
    return {blocks_.back().get(), count};
  }

 private:
  struct Free {
    void operator()(float* values) const { ::operator delete[](values, std::align_val_t{64}); }
  };
  std::vector<std::unique_ptr<float[], Free>> blocks_;
};

}  // namespace lockstep
