#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/run/time_report.h"

namespace lockstep {

/// What the advice rests on, beside the times.
struct RunFacts {
  std::vector<RankPlace> places;  ///< of all ranks
  std::int64_t batch_size = 0;
  std::int64_t grains = 0, grain_rows = 0;  ///< that a batch makes (sampler.h)
  bool streams = false;                     ///< rows do not fit data.memory
  std::int64_t shard_bytes = 0;             ///< of a rank's rows
  std::int64_t checkpoint_every = 0;        ///< epochs
  bool far_cores = false;                   ///< ranks of a host on cores that share no cache
  std::vector<CoreEvidence> cores;          ///< by rank; empty: nothing is known
};

/// The one thing to change first.
struct Advice {
  std::string knob;  ///< "training.batch_size", "mpirun -np", ...; "" if nothing stands out
  double gain = 0;   ///< the share of the wall time that it could save at most
  std::string text;  ///< a sentence
};

/// Of all rules that apply the one with the most to gain; below 5 % none of them.
Advice advise(const TimeReport& report, const RunFacts& facts);

}  // namespace lockstep
