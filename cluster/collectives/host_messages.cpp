#include "cluster/collectives/host_messages.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <vector>

#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

// Below Open MPI's eager limit for TCP: larger messages need a handshake that waits behind the data of the other direction, and the link
// then runs in one direction at a time.
constexpr std::size_t kSegment = (56U << 10U) / sizeof(float);
constexpr int kFirstTag = 100;

/// A part of an array and the rank at its other end.
struct Part {
  int rank;
  std::size_t offset, count;
};

}  // namespace

struct HostMessages::Impl {
  Activity* activity = nullptr;
  MPI_Comm comm = MPI_COMM_NULL;
  int size = 1;
  std::vector<int> receivers;  // of this rank's parts, one on each other host
  std::vector<int> senders;    // whose parts this rank receives for its host
  struct Array {
    float* data;
    Part own;
    std::vector<Part> others;
  };
  std::vector<Array> arrays;
  std::vector<MPI_Request> requests;  // room for all arrays
  std::size_t pending = 0;

  template <class Post>
  void in_segments(const Part& part, const Post& post) {
    for (std::size_t at = 0; at < part.count; at += kSegment) {
      post(part.offset + at, static_cast<int>(std::min(kSegment, part.count - at)), &requests[pending]);
      ++pending;
    }
  }
};

HostMessages::HostMessages(const World& world) : impl_(std::make_unique<Impl>()) {
  impl_->size = world.size();
  impl_->activity = &world.activity();
  if (world.hosts() == 1) return;
  impl_->comm = *static_cast<const MPI_Comm*>(world.communicator());
  // A host's name in this job: the lowest rank there.
  MPI_Comm host = MPI_COMM_NULL;
  mpi(MPI_Comm_split_type(impl_->comm, MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &host), "MPI_Comm_split_type");
  int leader = world.rank();
  mpi(MPI_Bcast(&leader, 1, MPI_INT, 0, host), "MPI_Bcast");
  MPI_Comm_free(&host);
  using Seat = std::array<int, 3>;  // leader, local rank, ranks of the host
  const Seat own{leader, world.local_rank(), world.local_size()};
  std::vector<Seat> places(static_cast<std::size_t>(world.size()));
  mpi(MPI_Allgather(own.data(), 3, MPI_INT, places.data(), 3, MPI_INT, impl_->comm), "MPI_Allgather");
  for (int r = 0; r < world.size(); ++r) {
    const auto& [of, local, size] = places[static_cast<std::size_t>(r)];
    if (of == leader) continue;
    if (own[1] % size == local) impl_->receivers.push_back(r);
    if (local % own[2] == own[1]) impl_->senders.push_back(r);
  }
}

HostMessages::~HostMessages() = default;

std::size_t HostMessages::add(std::span<float> array, std::size_t offset, std::size_t count) {
  Impl& impl = *impl_;
  Impl::Array entry{array.data(), {0, offset, count}, {}};
  if (impl.comm != MPI_COMM_NULL) {
    const std::array<std::size_t, 2> own{offset, count};
    std::vector<std::array<std::size_t, 2>> parts(static_cast<std::size_t>(impl.size));
    mpi(MPI_Allgather(own.data(), sizeof own, MPI_BYTE, parts.data(), sizeof own, MPI_BYTE, impl.comm), "MPI_Allgather");
    for (const int r : impl.senders)
      entry.others.push_back({r, parts[static_cast<std::size_t>(r)][0], parts[static_cast<std::size_t>(r)][1]});
  }
  const auto segments = [](std::size_t floats) { return (floats + kSegment - 1) / kSegment; };
  std::size_t messages = impl.receivers.size() * segments(count);
  for (const Part& part : entry.others) messages += segments(part.count);
  impl.requests.resize(impl.requests.size() + messages, MPI_REQUEST_NULL);
  impl.arrays.push_back(std::move(entry));
  return impl.arrays.size() - 1;
}

void HostMessages::start(std::size_t array) {
  Impl& impl = *impl_;
  if (impl.comm == MPI_COMM_NULL) return;
  Impl::Array& entry = impl.arrays[array];
  const int tag = kFirstTag + static_cast<int>(array);
  for (const Part& part : entry.others) {
    impl.in_segments(part, [&](std::size_t at, int count, MPI_Request* request) {
      mpi(MPI_Irecv(entry.data + at, count, MPI_FLOAT, part.rank, tag, impl.comm, request), "MPI_Irecv");
    });
  }
  for (const int receiver : impl.receivers) {
    impl.in_segments(entry.own, [&](std::size_t at, int count, MPI_Request* request) {
      mpi(MPI_Isend(entry.data + at, count, MPI_FLOAT, receiver, tag, impl.comm, request), "MPI_Isend");
    });
  }
}

void HostMessages::finish() {
  if (impl_->pending == 0) return;
  const ScopedStage stage(*impl_->activity, Stage::messages);
  mpi(MPI_Waitall(static_cast<int>(impl_->pending), impl_->requests.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  impl_->pending = 0;
}

}  // namespace lockstep
