#include <mpi.h>

#include <algorithm>

#include "cluster/collectives/algorithms.h"
#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

/// MPI_Allreduce: the yardstick.
class MpiAllreduce final : public Allreduce {
 public:
  explicit MpiAllreduce(const World& world) : comm_(*static_cast<const MPI_Comm*>(world.communicator())) {}
  std::string_view name() const override { return "mpi"; }
  void sum(std::span<float> data) override { reduce(data, MPI_FLOAT); }
  void sum(std::span<double> data) override { reduce(data, MPI_DOUBLE); }
  std::span<float> allocate(std::size_t count) override { return arena_.allocate(count); }

 private:
  template <class T>
  void reduce(std::span<T> data, MPI_Datatype type) {
    constexpr std::size_t kMost = 1U << 30U;  // MPI counts are ints
    for (std::size_t at = 0; at < data.size(); at += kMost) {
      const int count = static_cast<int>(std::min(kMost, data.size() - at));
      mpi(MPI_Allreduce(MPI_IN_PLACE, data.data() + at, count, type, MPI_SUM, comm_), "MPI_Allreduce");
    }
  }

  MPI_Comm comm_;
  PrivateArena arena_;
};

}  // namespace

std::unique_ptr<Allreduce> make_mpi_allreduce(const World& world) { return std::make_unique<MpiAllreduce>(world); }

}  // namespace lockstep
