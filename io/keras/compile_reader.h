#pragma once
#include <string>

#include "cluster/json.h"
#include "io/keras/stored_model.h"

namespace lockstep {

/// The content of "compile_config": optimizer, loss and metrics in all the ways Keras 2 and 3 write them. What Lockstep does not have is a
/// flaw. `name`: of the file, for messages.
CompileConfig read_compile_config(const std::string& name, const Json& config);

}  // namespace lockstep
