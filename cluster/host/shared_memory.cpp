#include "cluster/host/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <string>

#include "cluster/descriptor.h"
#include "cluster/host/placement.h"
#include "cluster/host/process_limits.h"
#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kFew = 16 * kPage;
constexpr int kSpins = 4000;  // some 50 us

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// The pages of these parts, each once.
std::vector<SharedMemory::Part> pages_of(std::span<const SharedMemory::Part> parts) {
  std::vector<SharedMemory::Part> pages;
  for (const SharedMemory::Part& part : parts) {
    if (part.bytes > 0) pages.push_back({part.offset / kPage * kPage, whole_pages(part.offset % kPage + part.bytes)});
  }
  std::sort(pages.begin(), pages.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  std::vector<SharedMemory::Part> joined;
  for (const SharedMemory::Part& part : pages) {
    if (joined.empty() || part.offset > joined.back().offset + joined.back().bytes) {
      joined.push_back(part);
      continue;
    }
    joined.back().bytes = std::max(joined.back().bytes, part.offset + part.bytes - joined.back().offset);
  }
  return joined;
}

std::size_t bytes_of(std::span<const SharedMemory::Part> parts) {
  return std::accumulate(parts.begin(), parts.end(), std::size_t{0}, [](std::size_t sum, const auto& part) { return sum + part.bytes; });
}

std::atomic_ref<std::uint32_t> flag(std::byte* segment) {
  return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(segment));
}

/// Of a file of segments of these sizes: parts of the segment of this rank.
std::vector<SharedMemory::Part> in_file(std::vector<SharedMemory::Part> parts, std::span<const std::size_t> sizes, int local_rank) {
  const std::size_t before = std::accumulate(sizes.begin(), sizes.begin() + local_rank, std::size_t{0});
  for (SharedMemory::Part& part : parts) part.offset += before;
  return parts;
}

/// The share of a file that this rank gives pages to: its own segment where all have one. A segment of the first rank alone holds rows of
/// all, in the order of ranks.
std::vector<SharedMemory::Part> slice_of(std::size_t all, const World& world) {
  const auto rank = static_cast<std::size_t>(world.local_rank()), ranks = static_cast<std::size_t>(world.local_size());
  const std::size_t pages = all / kPage, first = pages * rank / ranks, last = pages * (rank + 1) / ranks;
  return {{first * kPage, (last - first) * kPage}};
}

/// The ranks of this host.
class HostRanks {
 public:
  /// Collective among all ranks.
  explicit HostRanks(const World& world) {
    const MPI_Comm all = *static_cast<const MPI_Comm*>(world.communicator());
    mpi(MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &comm_), "MPI_Comm_split_type");
  }
  ~HostRanks() { MPI_Comm_free(&comm_); }
  HostRanks(const HostRanks&) = delete;
  HostRanks& operator=(const HostRanks&) = delete;

  std::vector<std::size_t> all_gather(std::size_t value) const {
    int size = 0;
    MPI_Comm_size(comm_, &size);
    std::vector<std::size_t> values(static_cast<std::size_t>(size));
    mpi(MPI_Allgather(&value, sizeof value, MPI_BYTE, values.data(), sizeof value, MPI_BYTE, comm_), "MPI_Allgather");
    return values;
  }
  /// From the first of them.
  void broadcast(std::string& text) const { mpi(MPI_Bcast(text.data(), static_cast<int>(text.size()), MPI_CHAR, 0, comm_), "MPI_Bcast"); }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

/// A file that one rank makes and the others of its host open. It has no name beyond this object's life.
class HostFile {
 public:
  explicit HostFile(bool makes) : makes_(makes) {}
  ~HostFile() {
    if (makes_ && file_.is_open()) unlink(name.c_str());
  }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  /// Its bytes are zeros and have no pages yet.
  void make(std::size_t bytes) {
    file_ = Descriptor(mkostemp(name.data(), O_CLOEXEC));
    if (!file_.is_open() || ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) fail("cannot be made");
  }
  int open() {
    if (!makes_ && !file_.is_open()) file_ = Descriptor(::open(name.c_str(), O_RDWR | O_CLOEXEC));
    if (!file_.is_open()) fail("cannot be opened");
    return file_.get();
  }
  /// Gives this part its pages, on the memory node of this rank. In pieces, since a signal makes the kernel take a piece back.
  void reserve(const SharedMemory::Part& part) {
    constexpr std::size_t kPiece = 8U << 20U;
    for (std::size_t at = 0; at < part.bytes;) {
      const std::size_t bytes = std::min(kPiece, part.bytes - at);
      const int error = posix_fallocate(file_.get(), static_cast<off_t>(part.offset + at), static_cast<off_t>(bytes));
      if (error == 0) at += bytes;
      if (error == 0 || error == EINTR) continue;
      errno = error;
      fail("does not get its pages");
    }
  }

  std::string name = "/dev/shm/lockstep.XXXXXX";

 private:
  [[noreturn]] void fail(const char* what) const {
    const int error = errno;
    const bool apart = error == ENOENT;
    throw Error(name + ", memory that the ranks of this host share, " + what + ": " + std::strerror(error) +
                (apart ? "; containers need one /dev/shm: docker run --ipc=host" : ""));
  }
  const bool makes_;
  Descriptor file_;
};

}  // namespace

std::size_t SharedMemory::pages(std::size_t bytes) { return whole_pages(std::max<std::size_t>(bytes, 1)); }
std::size_t SharedMemory::pages(std::span<const Part> parts) { return bytes_of(pages_of(parts)); }

SharedMemory::SharedMemory(const World& world, std::size_t bytes, std::optional<std::vector<Part>> parts) : size_(pages(bytes)) {
  const auto map = [this](std::size_t all, int flags, int file) {
    void* const memory = mmap(nullptr, all, PROT_READ | PROT_WRITE, flags, file, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<std::byte*>(memory);
    mapped_ = all;
  };
  if (world.size() == 1) {
    map(size_, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    segments_ = {memory_};
    return;
  }
  const HostRanks host(world);
  const std::vector<std::size_t> sizes = host.all_gather(size_);
  const std::size_t all = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  const std::vector<Part> own = parts ? in_file(pages_of(*parts), sizes, world.local_rank()) : slice_of(all, world);
  const std::vector<std::size_t> taken = host.all_gather(bytes_of(own));
  HostFile file(world.local_rank() == 0);
  world.agree([&] {
    if (world.local_size() == 1) return map(all, MAP_PRIVATE | MAP_ANONYMOUS, -1);  // also in a job of several hosts: nobody to share with
    if (world.local_rank() != 0) return;
    const std::size_t together = std::accumulate(taken.begin(), taken.end(), std::size_t{0});
    // A few pages, as measurements take, are no reason to refuse: what a training needs is known after them, and its error says more.
    if (together > kFew) {
      check_shared_memory(static_cast<double>(together), static_cast<double>(all),
                          fmt::format("memory that the {} ranks of this host share", world.local_size()), world.hostname());
    }
    file.make(all);
  });
  host.broadcast(file.name);
  world.agree([&] {
    if (world.local_size() == 1) return;
    file.open();
    for (const Part& part : own) file.reserve(part);
  });
  world.agree([&] {
    if (world.local_size() > 1) map(all, MAP_SHARED, file.open());
  });
  std::byte* segment = memory_;
  for (const std::size_t size : sizes) {
    segments_.push_back(segment);
    segment += size;
  }
}

SharedMemory::~SharedMemory() {
  if (memory_ != nullptr) munmap(memory_, mapped_);
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
