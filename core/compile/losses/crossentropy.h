#pragma once
#include <string>

#include "core/compile/losses/losses.h"

namespace lockstep {

// Crossentropies: loss_rows() of their kinds.
void crossentropy_rows(const SparseCategoricalCrossentropy& loss, bool fused, const LossRows& rows);
void crossentropy_rows(const CategoricalCrossentropy& loss, bool fused, const LossRows& rows);
void crossentropy_rows(const BinaryCrossentropy& loss, bool fused, const LossRows& rows);
void crossentropy_rows(const BinaryFocalCrossentropy& loss, const LossRows& rows);
void crossentropy_rows(const CategoricalFocalCrossentropy& loss, const LossRows& rows);
void crossentropy_rows(const CategoricalGeneralizedCrossEntropy& loss, const LossRows& rows);

/// What is wrong with a label, of a loss of this name; empty if nothing is.
std::string label_flaw(std::string_view loss, float label, std::int64_t classes);

}  // namespace lockstep
