#pragma once
#include <span>

#include "core/compile/variable_range.h"
#include "core/network/network.h"

namespace lockstep {

/// Sum over regularised weights of l1 * sum|w| + l2 * sum w^2: added to the loss of every batch, training and evaluation.
double penalty(Network& network);

/// Whether any weight has a penalty.
bool has_regularizer(const Network& network);

/// Adds the penalty's gradient, l1 * sign(w) + 2 * l2 * w, to elements [range.offset, range.offset + range.count) of a flat gradient
/// buffer; once, after ranks have been summed.
void add_penalty_gradient(Network& network, std::span<float> gradients, VariableRange range);

}  // namespace lockstep
