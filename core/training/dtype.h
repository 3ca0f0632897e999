#pragma once
#include <cstdint>

#include "cluster/world.h"
#include "core/network/dtype_policy.h"

namespace lockstep {

/// The same on all ranks. Collective.
bool every_rank_has_bfloat16(const World& world);

/// What `automatic` means for a batch of so many rows where all ranks have bfloat16, or not all; any other policy stays.
DtypePolicy decide_dtype(DtypePolicy wanted, std::int64_t batch_size, bool bfloat16);

}  // namespace lockstep
