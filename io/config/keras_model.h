#pragma once
#include "core/training/sequential.h"
#include "io/config/config.h"

namespace lockstep {

/// A built model of the same layers with the seed of a run, and with its dtype policy if it sets one; the weights are initial.
Sequential remade(const Sequential& model, const RunConfig& config);

}  // namespace lockstep
