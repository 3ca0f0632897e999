#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "core/compile/optimizers/optimizer.h"

namespace lockstep {

// The updates of one step that need a whole variable.

/// A variable at a step.
struct WholeStep {
  const OptimizerVariable& variable;
  const float* w;
  float* g;                     ///< its gradient, then what is to be subtracted from w
  std::array<float*, 3> slots;  ///< the kind's own
  float t;                      ///< updates done and this one
  float learning_rate, weight_decay;
  std::span<float> work;  ///< work_floats() of them
};

void form(const Lamb& lamb, const WholeStep& step);
void form(const Lars& lars, const WholeStep& step);
void form(const Adafactor& adafactor, const WholeStep& step);
void form(const Muon& muon, const WholeStep& step);

/// What form() needs beside slots.
std::int64_t work_floats(const OptimizerSpec& spec, const OptimizerVariable& variable);

}  // namespace lockstep
