#pragma once
#include <cstdint>

#include "core/data/shape.h"

namespace lockstep {

// The largest sizes that are computed with, so that no product of them overflows. What they allow may still be more than a machine has
// (memory_need.h).

constexpr std::int64_t kMostElements = INT32_MAX;                ///< of an axis, of a layer's units, and of all numbers of a row together
constexpr std::int64_t kMostParameters = std::int64_t{1} << 40;  ///< of a model
constexpr std::int64_t kMostBatchRows = std::int64_t{1} << 30;   ///< batch_size
constexpr std::int64_t kMostShards = std::int64_t{1} << 20;      ///< shards

/// Whether a row of this shape has at most kMostElements numbers. Axes must be at least 1.
bool row_fits(const Shape& shape);

}  // namespace lockstep
