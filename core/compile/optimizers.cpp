#include "core/compile/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "cluster/error.h"

namespace lockstep {
namespace {

void check_patterns(const OptimizerSpec& spec, const char* setting, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    try {
      const std::regex expression(pattern);
    } catch (const std::regex_error&) {
      throw Error(fmt::format("{}: {} has '{}', which is not a regular expression", class_name(spec), setting, pattern), kUsage);
    }
  }
}

}  // namespace

OptimizerSpec optimizer_from_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (const auto found = alternative_called<OptimizerSpec>(lower)) return *found;
  throw Error(fmt::format("unknown optimizer '{}'; known are {}", name, known_names<OptimizerSpec>()), kUsage);
}

std::string class_name(const OptimizerSpec& spec) { return std::string(kind_of(spec).class_name); }

bool in_keras(const OptimizerSpec& spec) { return !std::holds_alternative<Lars>(spec); }

const OptimizerOptions& options_of(const OptimizerSpec& spec) {
  return std::visit([](const auto& one) -> const OptimizerOptions& { return one.options; }, spec);
}

const LearningRate& learning_rate(const OptimizerSpec& spec) {
  return std::visit([](const auto& one) -> const LearningRate& { return one.learning_rate; }, spec);
}

void check(const OptimizerSpec& spec) {
  std::visit([&](const auto& one) { fields(one, BoundsCheck(class_name(spec))); }, spec);
  check(learning_rate(spec));
  const OptimizerOptions& options = options_of(spec);
  check_patterns(spec, "exclude_from_weight_decay", options.exclude_from_weight_decay.patterns);
  if (const auto* muon = std::get_if<Muon>(&spec)) check_patterns(spec, "exclude_layers", muon->exclude_layers);
  if (options.gradient_accumulation_steps == 1) {
    throw Error(fmt::format("{}: gradient_accumulation_steps is 1, it must be at least 2, or 0 for none", class_name(spec)), kUsage);
  }
  if ((options.clipnorm > 0) + (options.clipvalue > 0) + (options.global_clipnorm > 0) <= 1) return;
  throw Error(fmt::format("{}: only one of clipnorm ({}), clipvalue ({}) and global_clipnorm ({}) can be set", class_name(spec),
                          options.clipnorm, options.clipvalue, options.global_clipnorm),
              kUsage);
}

bool matches(const std::vector<std::string>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return std::regex_search(text, std::regex(pattern)); });
}

}  // namespace lockstep
