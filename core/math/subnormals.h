#pragma once
#include <cstdint>

namespace lockstep {

/// While it lives, the float arithmetic of the calling thread, and of threads that it starts, takes subnormal numbers (below 1.2e-38) for
/// zero and makes none, as TensorFlow's threads do. The momenta of weights whose gradient has become 0 decay into them and stay there, and
/// every operation on them is many times slower: a step of Adam on images with empty borders took twice as long. On x86-64 and aarch64;
/// elsewhere nothing.
class NoSubnormals {
 public:
  NoSubnormals();
  ~NoSubnormals();
  NoSubnormals(const NoSubnormals&) = delete;
  NoSubnormals& operator=(const NoSubnormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace lockstep
