#include "cluster/host/shared_memory.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <new>

#include "cluster/host/placement.h"
#include "cluster/host/process_limits.h"
#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

constexpr std::size_t kPage = 4096;
constexpr int kSpins = 4000;  // some 50 us

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::atomic_ref<std::uint32_t> flag(std::byte* segment) {
  return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(segment));
}

}  // namespace

struct SharedMemory::Window {
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Win win = MPI_WIN_NULL;
  void* alone = MAP_FAILED;
  std::size_t bytes = 0;
  int exceptions = std::uncaught_exceptions();
};

SharedMemory::SharedMemory(const World& world, std::size_t bytes_per_rank)
    : window_(std::make_unique<Window>()), size_(whole_pages(std::max<std::size_t>(bytes_per_rank, 1))) {
  if (world.size() > 1) {  // all ranks call it, those that are alone on their host too
    const MPI_Comm all = *static_cast<const MPI_Comm*>(world.communicator());
    mpi(MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &window_->host), "MPI_Comm_split_type");
  }
  if (world.local_size() == 1) {  // also in a job of several hosts: nobody to share with
    if (window_->host != MPI_COMM_NULL) MPI_Comm_free(&window_->host);
    window_->alone = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (window_->alone == MAP_FAILED) throw std::bad_alloc();
    window_->bytes = size_;
    segments_.push_back(static_cast<std::byte*>(window_->alone));
    return;
  }
  void* base = nullptr;
  // A page more, because MPI puts its own header before the first segment and promises no alignment.
  try {
    mpi(MPI_Win_allocate_shared(static_cast<MPI_Aint>(size_ + kPage), 1, MPI_INFO_NULL, window_->host, &base, &window_->win),
        "MPI_Win_allocate_shared");
  } catch (const Error&) {  // mostly of a small /dev/shm, which MPI's text does not name
    const double window = static_cast<double>(size_ + kPage) * world.local_size();  // one file holds the segments of all
    check_shared_memory(window, fmt::format("memory that the {} ranks of this host share", world.local_size()));
    throw;
  }
  for (int r = 0; r < world.local_size(); ++r) {
    MPI_Aint bytes = 0;
    int unit = 0;
    void* segment = nullptr;
    mpi(MPI_Win_shared_query(window_->win, r, &bytes, &unit, &segment), "MPI_Win_shared_query");
    std::size_t space = size_ + kPage;
    segments_.push_back(static_cast<std::byte*>(std::align(kPage, size_, segment, space)));
  }
  // The window is a file that was just made: zeros, whose pages come to be when somebody touches them, on that rank's memory node. A
  // gradient that goes straight into the weights never does.
  mpi(MPI_Barrier(window_->host), "MPI_Barrier");
}

SharedMemory::~SharedMemory() {
  if (window_->alone != MAP_FAILED) munmap(window_->alone, window_->bytes);
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0 || window_->win == MPI_WIN_NULL) return;
  // Freeing waits for all ranks. An exception on its way up may be this rank's alone, and the others wait for it in a sum: then the
  // window is left to the end of the process, or lockstep::run would never get to report the error and to end the job.
  if (std::uncaught_exceptions() > window_->exceptions) return;
  MPI_Win_free(&window_->win);
  MPI_Comm_free(&window_->host);
}

SpinWait::SpinWait(const World& world) : activity_(world.activity()), patience_(world.local_size() > host_cores(world) ? 1 : kSpins) {}

void SpinWait::yield() { sched_yield(); }

SpinBarrier::SpinBarrier(const World& world)
    : flags_(world, sizeof(std::uint32_t)), spin_(world), local_rank_(world.local_rank()), local_size_(world.local_size()) {}

void SpinBarrier::wait() {
  if (local_size_ == 1) return;
  ++generation_;
  flag(flags_.segment(local_rank_)).store(generation_, std::memory_order_release);
  for (int r = 0; r < local_size_; ++r) {
    // Signed difference: the generation may wrap around.
    spin_.until([&] { return static_cast<std::int32_t>(flag(flags_.segment(r)).load(std::memory_order_acquire) - generation_) >= 0; });
  }
}

}  // namespace lockstep
