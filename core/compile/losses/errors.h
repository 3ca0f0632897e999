#pragma once
#include "core/compile/losses/losses.h"

namespace lockstep {

// Losses of the difference between truth and output, hinges, and distances of distributions: loss_rows() of their kinds.
void error_rows(const MeanSquaredError& loss, const LossRows& rows);
void error_rows(const MeanAbsoluteError& loss, const LossRows& rows);
void error_rows(const MeanAbsolutePercentageError& loss, const LossRows& rows);
void error_rows(const MeanSquaredLogarithmicError& loss, const LossRows& rows);
void error_rows(const Huber& loss, const LossRows& rows);
void error_rows(const LogCosh& loss, const LossRows& rows);
void error_rows(const Poisson& loss, const LossRows& rows);
void error_rows(const KLDivergence& loss, const LossRows& rows);
void error_rows(const CosineSimilarity& loss, const LossRows& rows);
void error_rows(const Hinge& loss, const LossRows& rows);
void error_rows(const SquaredHinge& loss, const LossRows& rows);
void error_rows(const CategoricalHinge& loss, const LossRows& rows);

}  // namespace lockstep
