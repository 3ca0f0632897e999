#pragma once
#include <cstdint>

#include "cluster/buffer.h"

namespace lockstep::onednn {

/// Numbers in [-1, 1) with all bits of their mantissas in use, to see whether two calls give the same bits.
Buffer made_up(std::int64_t count, std::uint32_t seed);

}  // namespace lockstep::onednn
