#pragma once
#include <string>
#include <vector>

namespace lockstep {

/// A name as a part of a line: control characters are escaped, and one that has a comma is put in quotes.
std::string shown_name(const std::string& name);

/// "a, b, c" for messages; of more than 20 the first and "and 7 more".
std::string name_list(const std::vector<std::string>& names);

}  // namespace lockstep
