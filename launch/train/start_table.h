#pragma once
#include <string>
#include <vector>

#include "cluster/host/placement.h"
#include "core/data/sampler.h"

namespace lockstep {

/// Rank, host, pid, cores, threads and the rows of a full batch that each rank computes. Ranks that get no row are named, with the batch
/// size that would feed them.
std::string start_table(const std::vector<RankPlace>& places, const Sampler& sampler, std::int64_t batch_size);

}  // namespace lockstep
