#pragma once
#include <string>
#include <string_view>

#include "io/checkpoint/checkpoint.h"

namespace lockstep {

/// state.json. Numbers are written with all their digits, NaN and infinities as strings; what is read equals what was written.
std::string checkpoint_state_json(const CheckpointState& state);
/// A missing or wrong key is an Error naming `name` and the key.
CheckpointState checkpoint_state_from_json(const std::string& name, std::string_view json);

}  // namespace lockstep
