#include "io/data/name_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

std::string shown_name(const std::string& name) {
  std::string shown;
  for (const char c : name) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control) {
      shown += c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\x{:02x}", c);
    } else {
      shown += c;
    }
  }
  return name.find(',') == std::string::npos ? shown : "'" + shown + "'";
}

std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) list += (i == 0 ? "" : ", ") + shown_name(names[i]);
  return names.size() <= kMost ? list : fmt::format("{} and {} more", list, names.size() - kMost);
}

}  // namespace lockstep
