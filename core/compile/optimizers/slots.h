#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/compile/optimizers/optimizer.h"

namespace lockstep {

// Which state each kind of optimizer keeps.

/// A slot of a kind.
struct SlotKind {
  const char* name;
  int group = 0;  ///< as OptimizerSlot's
  float initial = 0;
  bool of_weights = false;  ///< starts as the weights, not as `initial`
};
std::vector<SlotKind> slot_kinds(const OptimizerSpec& spec);

/// OptimizerNumber of a kind.
std::vector<OptimizerNumber> number_kinds(const OptimizerSpec& spec);

/// Optimizer::slot_shape() of the kind's own slots.
std::optional<Shape> slot_shape(const OptimizerSpec& spec, std::size_t slot, const OptimizerVariable& variable);

/// Whether Muon steps a variable as AdamW does.
bool takes_adam(const Muon& muon, const OptimizerVariable& variable);

}  // namespace lockstep
