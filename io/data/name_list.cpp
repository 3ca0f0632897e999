#include "io/data/name_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lockstep {

std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kMost, ", "), names.size() - kMost);
}

}  // namespace lockstep
