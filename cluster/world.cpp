#include "cluster/world.h"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <numeric>

#include "cluster/host/process_limits.h"
#include "cluster/mpi_call.h"

namespace lockstep {

/// A communicator of our own, so that no message of ours meets one of the embedding program's.
struct World::Impl {
  explicit Impl(MPI_Comm parent) {
    mpi(MPI_Comm_dup(parent, &comm), "MPI_Comm_dup");
    mpi(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  ~Impl() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0) MPI_Comm_free(&comm);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  MPI_Comm comm = MPI_COMM_NULL;
};

namespace {

std::string this_host() {
  char name[HOST_NAME_MAX + 1] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

/// Rank and size among the ranks that share this host's memory, and the number of such groups.
struct Seat {
  int local_rank = 0, local_size = 1, hosts = 1;
};

Seat place_of(MPI_Comm comm, int rank) {
  Seat place;
  MPI_Comm host = MPI_COMM_NULL;
  try {
    mpi(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host), "MPI_Comm_split_type");
  } catch (const Error& error) {  // the first call of all ranks: of Open MPI 5 where two hosts have one name, or one host has two
    throw Error(std::string(error.what()) +
                "; each host of a job needs one name of its own, that of hostname, once in the launcher's list");
  }
  MPI_Comm_rank(host, &place.local_rank);
  MPI_Comm_size(host, &place.local_size);
  MPI_Comm_free(&host);
  const int first = place.local_rank == 0 ? 1 : 0;
  mpi(MPI_Allreduce(&first, &place.hosts, 1, MPI_INT, MPI_SUM, comm), "MPI_Allreduce");
  return place;
}

/// MPI counts are ints: longer buffers go in pieces.
template <class F>
void in_pieces(std::size_t count, F&& piece) {
  constexpr std::size_t kMost = 1U << 30U;
  for (std::size_t at = 0; at < count; at += kMost) piece(at, static_cast<int>(std::min(kMost, count - at)));
}

/// Sums in order of rank: gathers all ranks' values and adds them up, a bounded number of values at a time.
template <class T>
void sum_in_order(std::span<T> values, MPI_Datatype type, MPI_Comm comm, int size) {
  constexpr std::size_t kPiece = 4096;
  thread_local std::vector<T> all;  // grows only: sums in the middle of a step allocate nothing
  all.resize(std::max(all.size(), std::min(kPiece, values.size()) * static_cast<std::size_t>(size)));
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    const std::span<T> piece = values.subspan(at, std::min(kPiece, values.size() - at));
    const int count = static_cast<int>(piece.size());
    mpi(MPI_Allgather(piece.data(), count, type, all.data(), count, type, comm), "MPI_Allgather");
    for (std::size_t i = 0; i < piece.size(); ++i) {
      piece[i] = all[i];
      for (std::size_t r = 1; r < static_cast<std::size_t>(size); ++r) piece[i] += all[r * piece.size() + i];
    }
  }
}

/// Counts and places of an Allgatherv.
struct Layout {
  std::vector<int> counts, starts;
  std::size_t total = 0;
};

Layout gather_layout(std::size_t own, MPI_Comm comm, int size, std::size_t element) {
  const auto count = static_cast<std::uint64_t>(own);
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(size));
  mpi(MPI_Allgather(&count, 1, MPI_UINT64_T, counts.data(), 1, MPI_UINT64_T, comm), "MPI_Allgather");
  Layout layout;
  for (const std::uint64_t c : counts) {
    layout.counts.push_back(static_cast<int>(c));
    layout.starts.push_back(static_cast<int>(layout.total));
    layout.total += c;
  }
  if (layout.total > static_cast<std::size_t>(INT_MAX)) {
    throw Error("gathering " + std::to_string(layout.total * element) +
                " bytes on every rank is more than MPI can count; use fewer rows at a time");
  }
  return layout;
}

}  // namespace

World::World() : hostname_(this_host()) {}

World::World(std::unique_ptr<Impl> impl) : impl_(std::move(impl)), hostname_(this_host()) {
  MPI_Comm_rank(impl_->comm, &rank_);
  MPI_Comm_size(impl_->comm, &size_);
  const Seat place = place_of(impl_->comm, rank_);
  local_rank_ = place.local_rank;
  local_size_ = place.local_size;
  hosts_ = place.hosts;
}

World::~World() = default;
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;

const void* World::communicator() const { return impl_ ? &impl_->comm : nullptr; }

World World::over(const void* communicator) { return World(std::make_unique<Impl>(*static_cast<const MPI_Comm*>(communicator))); }

void World::barrier() const {
  if (!impl_) return;
  const ScopedStage stage(*activity_, Stage::barrier);
  mpi(MPI_Barrier(impl_->comm), "MPI_Barrier");
}

void World::broadcast(std::span<std::byte> data, int root) const {
  if (!impl_) return;
  const ScopedStage stage(*activity_, Stage::collective);
  in_pieces(data.size(),
            [&](std::size_t at, int count) { mpi(MPI_Bcast(data.data() + at, count, MPI_BYTE, root, impl_->comm), "MPI_Bcast"); });
}

std::string World::broadcast(const std::string& text, int root) const {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  std::string result = rank_ == root ? text : std::string(length, '\0');
  broadcast(std::as_writable_bytes(std::span(result)), root);
  return result;
}

void World::sum(std::span<double> values) const {
  if (!impl_) return;
  const ScopedStage stage(*activity_, Stage::collective);
  sum_in_order(values, MPI_DOUBLE, impl_->comm, size_);
}

void World::sum(std::span<std::int64_t> values) const {
  if (!impl_) return;
  const ScopedStage stage(*activity_, Stage::collective);
  sum_in_order(values, MPI_INT64_T, impl_->comm, size_);
}

std::vector<std::string> World::all_gather(const std::string& text) const {
  if (!impl_) return {text};
  const ScopedStage stage(*activity_, Stage::collective);
  const Layout layout = gather_layout(text.size(), impl_->comm, size_, 1);
  std::string all(layout.total, '\0');
  mpi(MPI_Allgatherv(text.data(), static_cast<int>(text.size()), MPI_CHAR, all.data(), layout.counts.data(), layout.starts.data(), MPI_CHAR,
                     impl_->comm),
      "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < layout.counts.size(); ++r) {
    texts.push_back(all.substr(static_cast<std::size_t>(layout.starts[r]), static_cast<std::size_t>(layout.counts[r])));
  }
  return texts;
}

std::vector<float> World::all_gather(std::span<const float> values) const {
  if (!impl_) return {values.begin(), values.end()};
  const ScopedStage stage(*activity_, Stage::collective);
  const Layout layout = gather_layout(values.size(), impl_->comm, size_, sizeof(float));
  std::vector<float> all(layout.total);
  mpi(MPI_Allgatherv(values.data(), static_cast<int>(values.size()), MPI_FLOAT, all.data(), layout.counts.data(), layout.starts.data(),
                     MPI_FLOAT, impl_->comm),
      "MPI_Allgatherv");
  return all;
}

void World::agree(const std::function<void()>& work) const {
  std::string message;
  int code = kOk;
  try {
    work();
  } catch (const Error& error) {
    message = error_text(error);
    code = error.exit_code() == kOk ? kFailed : error.exit_code();
  } catch (const std::exception& error) {
    message = error_text(error);
    code = kFailed;
  } catch (...) {
    message = "an exception of unknown type";
    code = kFailed;
  }
  // The lowest rank that failed; size_ if none did. One small allreduce when all is well.
  int failed = code == kOk ? size_ : rank_;
  const ScopedStage stage(*activity_, impl_ ? Stage::agreement : activity_->stage());
  if (impl_) mpi(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, impl_->comm), "MPI_Allreduce");
  if (failed == size_) return;
  broadcast(std::as_writable_bytes(std::span(&code, 1)), failed);
  message = broadcast(message, failed);
  const std::string host = broadcast(hostname_, failed);
  throw AgreedError(message, static_cast<ExitCode>(code), failed, host);
}

}  // namespace lockstep
