#pragma once
#include <algorithm>
#include <cstdint>

#include "core/compile/losses/losses.h"
#include "core/math/elementwise.h"

namespace lockstep {

// What the kernels of losses are made of; all inlined into the caller, which may carry LOCKSTEP_CLONES.

/// Row r of a block; `step` = dL/dvalue of the row.
struct LossRow {
  const float* truth;
  const float* input;
  float* output;
  float* delta;
  double* value;
  std::int64_t width;
  double step;
};

/// Calls `row_loss` for the rows that count. Rows of weight 0 may hold anything: value and delta 0.
template <typename RowLoss>
[[gnu::always_inline]] inline void for_rows(const LossRows& rows, RowLoss row_loss) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::int64_t first = r * rows.width;
    float* const delta = rows.delta == nullptr ? nullptr : rows.delta + first;
    if (rows.weight[r] == 0) {
      rows.value[r] = 0;
      if (delta != nullptr) std::fill_n(delta, rows.width, 0.0F);
      continue;
    }
    row_loss(r, LossRow{rows.truth + r * rows.truth_width, rows.input + first, rows.output == nullptr ? nullptr : rows.output + first,
                        delta, rows.value + r, rows.width, static_cast<double>(rows.weight[r]) * rows.scale});
  }
}

/// Losses that are a mean over the row: value(y, p) and slope(y, p) = dvalue/dp.
template <typename Value, typename Slope>
[[gnu::always_inline]] inline void mean_over_row(const LossRow& row, Value value, Slope slope) {
  const auto width = static_cast<double>(row.width);
  *row.value = sum(row.truth, row.input, row.width, value) / width;
  if (row.delta == nullptr) return;
  const double step = row.step / width;
  map(row.truth, row.input, row.delta, row.width, [step, slope](float y, float p) { return static_cast<float>(step * slope(y, p)); });
}

template <typename Value, typename Slope>
[[gnu::always_inline]] inline void mean_over_rows(const LossRows& rows, Value value, Slope slope) {
  for_rows(rows, [value, slope](std::int64_t, const LossRow& row) { mean_over_row(row, value, slope); });
}

}  // namespace lockstep
