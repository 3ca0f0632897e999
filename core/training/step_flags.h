#pragma once
#include <cstdint>
#include <span>

#include "core/training/callbacks.h"

namespace lockstep {

/// What a rank tells the others at a step, by small numbers that are summed with the gradients (Exchange::flags).
struct StepFlags {
  Callback::Request request;
  bool diverged = false;          ///< the loss of this rank's rows is not finite
  bool unread = false;            ///< this rank could not read its rows
  std::uint64_t fingerprint = 0;  ///< of what must be the same on all ranks: step, rows, layers, bytes
};

/// What the sums say, the same on every rank.
struct AgreedFlags {
  Callback::Request request;  ///< of all ranks together
  bool diverged = false;      ///< on some rank
  bool unread = false;        ///< on some rank
  bool differs = false;       ///< some rank's fingerprint
};

void write_flags(const StepFlags& own, std::span<float> flags);

/// Fingerprints are compared by three of their hexadecimal digits n, spread over all bits: N ranks have the same exactly if N sum(n^2) =
/// (sum n)^2 (Cauchy and Schwarz), and both sums are exact in float for up to 70,000 ranks.
AgreedFlags read_flags(std::span<const float> sums, int ranks);

}  // namespace lockstep
