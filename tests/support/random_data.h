#pragma once
#include <cstdint>

#include "core/data/dataset.h"

namespace lockstep::test {

/// Rows of `width` normal numbers with a class label 0..classes-1 that depends on them; the same on every rank.
ArrayDataset labelled_rows(std::int64_t rows, std::int64_t width, std::int64_t classes, bool weights = false);

/// Rows with `outputs` targets, a smooth function of the features.
ArrayDataset target_rows(std::int64_t rows, std::int64_t width, std::int64_t outputs);

}  // namespace lockstep::test
