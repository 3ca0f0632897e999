#pragma once
#include <cstddef>
#include <memory>

namespace lockstep {

struct FreeLarge {
  void operator()(std::byte* bytes) const;
};
/// Uninitialised memory that is read here and there. From 2 MiB on it lies on huge pages where the system gives them when asked
/// (transparent huge pages not "never"): a page table walk for every row of a batch costs as much as the row, more so in a virtual machine.
using LargeBytes = std::unique_ptr<std::byte[], FreeLarge>;
LargeBytes allocate_large(std::size_t bytes);

}  // namespace lockstep
