#include "cluster/trace/clock_offset.h"

#include <mpi.h>

#include <array>
#include <limits>
#include <vector>

#include "cluster/mpi_call.h"
#include "cluster/trace/trace.h"

namespace lockstep {
namespace {

constexpr int kTimes = 30;
constexpr int kTag = 90;

/// Rank 0's side: sends its question, gets the other's time.
ClockOffset ask(int rank, MPI_Comm comm, const std::function<std::int64_t()>& clock) {
  std::int64_t fastest = std::numeric_limits<std::int64_t>::max();
  ClockOffset offset;
  for (int i = 0; i < kTimes; ++i) {
    std::int64_t theirs = 0;
    const std::int64_t before = clock();
    mpi(MPI_Send(&i, 1, MPI_INT, rank, kTag, comm), "MPI_Send");
    mpi(MPI_Recv(&theirs, 1, MPI_INT64_T, rank, kTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
    const std::int64_t after = clock();
    if (after - before >= fastest) continue;
    fastest = after - before;
    offset = {before + fastest / 2 - theirs, fastest - fastest / 2};
  }
  return offset;
}

void answer(MPI_Comm comm, const std::function<std::int64_t()>& clock) {
  for (int i = 0; i < kTimes; ++i) {
    int question = 0;
    mpi(MPI_Recv(&question, 1, MPI_INT, 0, kTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
    const std::int64_t now = clock();
    mpi(MPI_Send(&now, 1, MPI_INT64_T, 0, kTag, comm), "MPI_Send");
  }
}

}  // namespace

ClockOffset measured_clock_offset(const World& world, bool measures, const std::function<std::int64_t()>& clock) {
  if (world.size() == 1) return {};
  MPI_Comm comm = *static_cast<const MPI_Comm*>(world.communicator());
  const int own = measures ? 1 : 0;
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  mpi(MPI_Allgather(&own, 1, MPI_INT, all.data(), 1, MPI_INT, comm), "MPI_Allgather");
  std::array<std::int64_t, 2> offset{};  // and error
  for (int rank = 1; rank < world.size(); ++rank) {
    if (all[static_cast<std::size_t>(rank)] == 0) continue;
    if (world.rank() == 0) {
      const ClockOffset found = ask(rank, comm, clock);
      const std::array<std::int64_t, 2> message{found.nanoseconds, found.error};
      mpi(MPI_Send(message.data(), 2, MPI_INT64_T, rank, kTag, comm), "MPI_Send");
    } else if (world.rank() == rank) {
      answer(comm, clock);
      mpi(MPI_Recv(offset.data(), 2, MPI_INT64_T, 0, kTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
    }
  }
  return {offset[0], offset[1]};
}

ClockOffset clock_offset(const World& world) {
  if (world.hosts() == 1) return {};
  MPI_Comm comm = *static_cast<const MPI_Comm*>(world.communicator()), host = MPI_COMM_NULL;
  mpi(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &host), "MPI_Comm_split_type");
  const ClockOffset own = measured_clock_offset(world, world.local_rank() == 0 && world.rank() != 0, [] { return Trace::now(); });
  std::array<std::int64_t, 2> offset{own.nanoseconds, own.error};
  mpi(MPI_Bcast(offset.data(), 2, MPI_INT64_T, 0, host), "MPI_Bcast");  // a host's ranks share its clock
  MPI_Comm_free(&host);
  return {offset[0], offset[1]};
}

}  // namespace lockstep
