#pragma once
#include <string>

#include "cluster/status/status.h"

namespace lockstep {

/// For scripts: the fields of lockstep.v1.Status by their names. Values not known yet are null.
std::string status_json(const Status& status);

}  // namespace lockstep
