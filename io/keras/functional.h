#pragma once
#include <string>
#include <vector>

#include "cluster/json.h"

namespace lockstep {

/// The layer entries of a Functional model's config in the order in which data passes them, the input first; in the forms of Keras 2 and 3.
/// A graph that is no chain of layers is an Error (kUsage) that names the layer where it branches or joins. `place` is for messages.
std::vector<Json> functional_chain(const std::string& place, const Json& config);

}  // namespace lockstep
