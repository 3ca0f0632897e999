#pragma once
#include <string>

#include "cluster/json.h"
#include "core/training/sequential.h"

namespace lockstep {

/// The content of "compile_config": optimizer, loss and metrics in all the ways Keras 3 writes them. `name`: of the file, for messages.
CompileOptions read_compile_config(const std::string& name, const Json& config);

}  // namespace lockstep
