#include "core/math/names.h"

namespace lockstep {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string snake_case(std::string_view class_name) {
  std::string snake;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const char c = class_name[i];
    const bool begins_word = i + 1 < class_name.size() && is_lower(class_name[i + 1]);
    if (i > 0 && is_upper(c) && (begins_word || is_lower(class_name[i - 1]))) snake += '_';
    snake += is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return snake;
}

}  // namespace lockstep
