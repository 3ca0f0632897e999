#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "io/hdf5/arrays.h"

namespace lockstep {

/// A reader of `ranges` of the rows from `shift` on: in memory if they fit the budget, else streaming. Order entries are rows without the
/// shift.
std::unique_ptr<RowReader> make_hdf5_reader(std::shared_ptr<const Hdf5Dataset::Arrays> arrays, std::vector<RowRange> ranges,
                                            std::int64_t shift, std::int64_t memory_budget);

}  // namespace lockstep
