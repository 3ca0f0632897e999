#pragma once
#include "core/compile/losses/losses.h"

namespace lockstep {

// Overlap of truth and output, of each row or of a whole batch.
void overlap_rows(const Dice& loss, const LossRows& rows);
void overlap_rows(const Tversky& loss, const LossRows& rows);

/// value and dvalue/dp = slope_of_truth y + slope, from the sums of y p, y and p.
struct Overlap {
  double value = 0, slope_of_truth = 0, slope = 0;
};
Overlap overlap_of(const Dice& loss, double products, double truths, double outputs);
Overlap overlap_of(const Tversky& loss, double products, double truths, double outputs);

}  // namespace lockstep
