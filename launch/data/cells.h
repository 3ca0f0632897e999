#pragma once
#include <string>
#include <vector>

namespace lockstep {

/// Prints columns padded to their widest cell, two spaces between; the first row is the heading. A row of one cell stands by itself.
void print_cells(const std::vector<std::vector<std::string>>& rows, bool numbers_right);

}  // namespace lockstep
