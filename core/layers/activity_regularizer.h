#pragma once
#include <memory>

#include "core/layers/op.h"

namespace lockstep {

/// The identity on rows of `width` floats, which adds the penalty l1 * sum|y| + l2 * sum y^2 of every row, divided by the rows of the
/// batch, to the loss. Keras' `activity_regularizer` of a layer is this after its ops. Source: keras/src/layers/layer.py.
std::unique_ptr<Op> activity_regularizer_op(const Regularizer& regularizer, std::int64_t width);

/// Appends that op to a layer's, if its regularizer is on.
void add_activity_regularizer(const Regularizer& regularizer, BuiltLayer& layer);

}  // namespace lockstep
