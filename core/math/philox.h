#pragma once
#include <array>
#include <cstdint>

namespace lockstep {

/// The counter-based generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): four random words as
/// a pure function of a counter and a key. No state, so any sample's numbers can be had in any order on any rank.
using PhiloxBlock = std::array<std::uint32_t, 4>;

inline PhiloxBlock philox(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// What a stream of random numbers is for: streams of different purposes never share a block.
enum class RandomPurpose : std::uint32_t { weights = 1, dropout = 2, shuffle = 3, split = 4, augmentation = 5 };

/// A keyed stream: block(i, j) depends on (seed, purpose, id, i, j) alone; no rank number enters.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint32_t id)
      : key_{static_cast<std::uint32_t>(seed) ^ (static_cast<std::uint32_t>(purpose) << 28), static_cast<std::uint32_t>(seed >> 32) ^ id} {}

  /// Four words for a 64-bit index (a sample, a position) and a 64-bit second index (a step, a block of elements).
  PhiloxBlock block(std::uint64_t i, std::uint64_t j) const {
    return philox({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), static_cast<std::uint32_t>(j),
                   static_cast<std::uint32_t>(j >> 32)},
                  key_);
  }

 private:
  std::array<std::uint32_t, 2> key_;
};

/// Uniform in [0, 1) with 24 bits, exact in float.
inline float uniform(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24F; }

}  // namespace lockstep
