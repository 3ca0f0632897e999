#include "core/training/step_flags.h"

namespace lockstep {
namespace {

enum Flag : std::size_t { kStop, kCheckpoint, kInterrupt, kDiverged, kUnread, kDigits };  // kDigits: n and n^2 of each digit
constexpr std::size_t kDigitCount = 3;

/// Every bit of the value reaches the upper ones (splitmix64).
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

}  // namespace

void write_flags(const StepFlags& own, std::span<float> flags) {
  flags[kStop] = own.request.stop ? 1.F : 0.F;
  flags[kCheckpoint] = own.request.checkpoint ? 1.F : 0.F;
  flags[kInterrupt] = own.request.interrupt ? 1.F : 0.F;
  flags[kDiverged] = own.diverged ? 1.F : 0.F;
  flags[kUnread] = own.unread ? 1.F : 0.F;
  const std::uint64_t bits = mixed(own.fingerprint);
  for (std::size_t i = 0; i < kDigitCount; ++i) {
    const auto digit = static_cast<float>((bits >> (4 * i)) & 15U);
    flags[kDigits + 2 * i] = digit;
    flags[kDigits + 2 * i + 1] = digit * digit;
  }
}

AgreedFlags read_flags(std::span<const float> sums, int ranks) {
  AgreedFlags agreed{{.stop = sums[kStop] > 0, .checkpoint = sums[kCheckpoint] > 0, .interrupt = sums[kInterrupt] > 0},
                     sums[kDiverged] > 0,
                     sums[kUnread] > 0,
                     false};
  for (std::size_t i = 0; i < kDigitCount; ++i) {
    const double sum = sums[kDigits + 2 * i], squares = sums[kDigits + 2 * i + 1];
    agreed.differs = agreed.differs || ranks * squares != sum * sum;
  }
  return agreed;
}

}  // namespace lockstep
