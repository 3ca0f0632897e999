#pragma once
#include <string>
#include <vector>

namespace lockstep {

/// "a, b, c" for messages; of more than 20 the first and "and 7 more".
std::string name_list(const std::vector<std::string>& names);

}  // namespace lockstep
