#include "launch/data/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace lockstep {

void print_cells(const std::vector<std::vector<std::string>>& rows, bool numbers_right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size() && row.size() > 1; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += numbers_right && i > 0 ? fmt::format("{:>{}}  ", row[i], widths[i]) : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    fmt::print("  {}\n", std::string_view(line).substr(0, line.find_last_not_of(' ') + 1));
  }
}

}  // namespace lockstep
