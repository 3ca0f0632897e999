#include "cluster/host/large_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace lockstep {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20, kLine = 64;

}  // namespace

LargeBytes allocate_large(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
  LargeBytes memory(static_cast<std::byte*>(std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)));
  if (!memory && bytes > 0) throw std::bad_alloc();
  // A wish: it may be refused. Whole pages only, so that the tail takes no more than it needs.
  if (bytes >= kHugePage) madvise(memory.get(), bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

void FreeLarge::operator()(std::byte* bytes) const { std::free(bytes); }

}  // namespace lockstep
