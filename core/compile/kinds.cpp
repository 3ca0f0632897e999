#include "core/compile/kinds.h"

#include <fmt/format.h>

#include "cluster/error.h"

namespace lockstep {
namespace {

// "MSE" of "mse".
bool is_upper_case_of(std::string_view name, std::string_view lower) {
  const auto matches = [](char upper, char c) { return c >= 'a' && c <= 'z' && upper == static_cast<char>(c - 'a' + 'A'); };
  return std::equal(name.begin(), name.end(), lower.begin(), lower.end(), matches);
}

}  // namespace

std::string Bounds::text() const {
  if (least == -std::numeric_limits<double>::infinity()) {
    return most == std::numeric_limits<double>::infinity() ? "a finite number" : fmt::format("{} {}", below ? "below" : "at most", most);
  }
  if (most == std::numeric_limits<double>::infinity()) return fmt::format("{} {}", above ? "above" : "at least", least);
  return fmt::format("in {}{}, {}{}", above ? '(' : '[', least, most, below ? ')' : ']');
}

bool is_called(const Kind& kind, std::string_view name) {
  return !name.empty() &&
         (name == kind.class_name || name == kind.name || name == kind.short_name || is_upper_case_of(name, kind.short_name));
}

void throw_unknown_kind(std::string_view noun, std::string_view name, const std::string& known) {
  throw Error(fmt::format("unknown {} '{}'; known are {}", noun, name, known), kUsage);
}

std::string BoundsCheck::number_text(float value) { return fmt::format("{}", value); }

void BoundsCheck::check(const Field& field, double value, const std::string& text) const {
  if (field.bounds.hold(value)) return;
  throw Error(fmt::format("{}: {} is {}, it must be {}", what_, field.name, text, field.bounds.text()), kUsage);
}

}  // namespace lockstep
