#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/compile/constraints.h"
#include "core/compile/initializers.h"
#include "core/compile/kinds.h"
#include "core/compile/regularizer.h"
#include "core/data/limits.h"
#include "core/data/shape.h"
#include "core/math/activations.h"

namespace lockstep {

// The layers a user puts into a Sequential: plain descriptions with Keras' names and defaults. An empty `name` becomes Keras' automatic one
// ("dense", "dense_1", ...) when the model is built. Shapes leave the batch axis out. Each family has a header with its structs, their
// fields() and build(), which makes the ops that compute a layer. Every layer has a `name` and is `trainable`; false: its weights stay as
// they are. A layer that does not fit its input is an Error (kUsage) that names it.

struct BuiltLayer;  // op.h
struct LayerSite;   // op.h

}  // namespace lockstep
