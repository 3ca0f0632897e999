#include "core/compile/optimizers/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cluster/error.h"
#include "core/compile/optimizers/slots.h"
#include "core/compile/optimizers/steps.h"
#include "core/compile/optimizers/whole_steps.h"

namespace lockstep {
namespace {

/// Of the common options, Muon's own for the variables that take AdamW's step.
float decay_of(const OptimizerSpec& spec, const OptimizerVariable& variable) {
  const OptimizerOptions& options = options_of(spec);
  if (matches(options.exclude_from_weight_decay.patterns, variable.path.substr(variable.path.rfind('/') + 1))) return 0;
  const auto* muon = std::get_if<Muon>(&spec);
  return muon != nullptr && takes_adam(*muon, variable) ? muon->adam_weight_decay : options.weight_decay;
}

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec, std::int64_t parameters, std::vector<OptimizerVariable> variables)
    : spec_(spec),
      variables_(std::move(variables)),
      forms_(std::visit([](const auto& one) { return OfWholeVariables<std::remove_cvref_t<decltype(one)>>; }, spec)),
      accumulated_(std::max<std::int64_t>(options_of(spec).gradient_accumulation_steps, 1)),
      factors_(variables_.size(), 1),
      numbers_(number_kinds(spec)) {
  check(spec_);
  learning_rate_ = lockstep::learning_rate(spec_).at(0);
  for (OptimizerVariable& variable : variables_) {
    const auto& [offset, count, path, shape] = variable;
    if (offset < 0 || count < 0 || offset + count > parameters) {
      throw Error(
          fmt::format("{}: variable at [{}, {}) lies outside the {} parameters", class_name(spec_), offset, offset + count, parameters));
    }
    if (shape.empty() && count != 1) variable.shape = {count};
    work_.emplace_back(work_floats(spec_, variable));
  }
  add_slots();
  for (OptimizerSlot& slot : slots_) slot.values = Buffer(parameters);
  add_decays(parameters);
  start({});
}

void Optimizer::add_slots() {
  int group = 0;
  if (options_of(spec_).use_ema) slots_.push_back({"average", {}, group++});
  accumulator_ = slots_.size();
  if (accumulated_ > 1) slots_.push_back({"gradient_accumulator", {}, group++});
  first_ = slots_.size();
  for (const SlotKind& kind : slot_kinds(spec_)) slots_.push_back({kind.name, {}, group + kind.group});
}

void Optimizer::add_decays(std::int64_t parameters) {
  for (const OptimizerVariable& variable : variables_) decays_.push_back(decay_of(spec_, variable));
  const bool equal = std::adjacent_find(decays_.begin(), decays_.end(), std::not_equal_to<>()) == decays_.end();
  if (equal) {
    decay_ranges_.push_back({{0, parameters}, decays_.empty() ? options_of(spec_).weight_decay : decays_[0]});
    return;
  }
  for (std::size_t i = 0; i < variables_.size(); ++i) decay_ranges_.push_back({{variables_[i].offset, variables_[i].count}, decays_[i]});
}

void Optimizer::start(std::span<const float> parameters) {
  const std::vector<SlotKind> kinds = slot_kinds(spec_);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const SlotKind kind = i < first_ ? SlotKind{""} : kinds[i - first_];
    const std::span<float> values = slots_[i].values.span();
    if (kind.of_weights && !parameters.empty()) {
      std::copy_n(parameters.begin(), values.size(), values.begin());
    } else {
      std::fill(values.begin(), values.end(), kind.initial);
    }
  }
  numbers_ = number_kinds(spec_);
}

void Optimizer::step(std::span<float> parameters, std::span<float> gradients) {
  const auto fits = [&](const OptimizerSlot& slot) { return slot.values.span().size() == parameters.size(); };
  if (parameters.size() != gradients.size() || !std::all_of(slots_.begin(), slots_.end(), fits)) {
    throw Error(fmt::format("{}: {} parameters and {} gradients do not fit the optimizer's state", class_name(spec_), parameters.size(),
                            gradients.size()));
  }
  if (iterations_ == 0) start(parameters);
  const VariableRange all{0, static_cast<std::int64_t>(parameters.size())};
  gather(gradients, all);
  measure(gradients);
  for (std::size_t i = 0; forms_ && i < variables_.size(); ++i) form(i, parameters, gradients);
  update(parameters, gradients, all);
  count_step();
}

void Optimizer::set_iterations(std::int64_t iterations) {
  iterations_ = iterations;
  if (scheduled()) learning_rate_ = lockstep::learning_rate(spec_).at(iterations);
}

void Optimizer::set_learning_rate(float rate) {
  if (scheduled()) {
    throw Error(fmt::format("{}: the learning rate is a schedule, which cannot be set to {}; give the optimizer a number instead",
                            class_name(spec_), rate),
                kUsage);
  }
  learning_rate_ = rate;
}

std::optional<Shape> Optimizer::slot_shape(std::size_t slot, std::size_t variable) const {
  if (slot < first_) return variables_.at(variable).shape;
  return lockstep::slot_shape(spec_, slot - first_, variables_.at(variable));
}

bool Optimizer::clips_by_norm() const { return options_of(spec_).clipnorm > 0 || options_of(spec_).global_clipnorm > 0; }

bool Optimizer::updates() const { return (iterations_ + 1) % accumulated_ == 0; }

bool Optimizer::plain() const {
  const auto* sgd = std::get_if<Sgd>(&spec_);
  return sgd != nullptr && slots_.empty() && sgd->options.weight_decay == 0 && sgd->options.clipvalue == 0 && !needs_all();
}

void Optimizer::place(const std::function<Buffer(std::int64_t)>& memory, bool keep) {
  for (OptimizerSlot& slot : slots_) {
    Buffer placed = memory(slot.values.size());
    if (!keep) std::copy_n(slot.values.data(), slot.values.size(), placed.data());
    slot.values = std::move(placed);
  }
}

void Optimizer::gather(std::span<float> gradients, VariableRange range) const {
  if (accumulated_ == 1) return;
  float *const g = gradients.data() + range.offset, *const sum = slot(accumulator_) + range.offset;
  updates() ? take_mean(g, sum, range.count, static_cast<float>(accumulated_)) : add_gradient(g, sum, range.count);
}

// In double throughout, so that large gradients do not overflow. A gradient within the limit keeps its bits.
void Optimizer::measure(std::span<const float> gradients) {
  const OptimizerOptions& options = options_of(spec_);
  const float* const g = gradients.data();
  if (!updates()) return;
  if (options.clipnorm > 0) {
    for (std::size_t i = 0; i < variables_.size();
         ++i) {  // an inf becomes NaN and the variable's other elements 0, a NaN spreads: as in Keras
      const double norm = std::sqrt(sum_of_squares(g, variables_[i].offset, variables_[i].count));
      factors_[i] = norm <= options.clipnorm ? 1 : options.clipnorm / norm;
    }
  } else if (options.global_clipnorm > 0) {
    double squares = 0;
    for (const OptimizerVariable& variable : variables_) squares += sum_of_squares(g, variable.offset, variable.count);
    const double norm = std::sqrt(squares);
    // One NaN or inf makes every gradient NaN, as in Keras: a step from such gradients must not look like a step.
    const double shrunk = std::isfinite(norm) ? options.global_clipnorm / norm : std::numeric_limits<double>::quiet_NaN();
    std::fill(factors_.begin(), factors_.end(), norm <= options.global_clipnorm ? 1 : shrunk);
  }
}

void Optimizer::form(std::size_t i, std::span<const float> parameters, std::span<float> gradients) const {
  if (!updates()) return;
  const OptimizerVariable& variable = variables_[i];
  clip(gradients.data(), {variable.offset, variable.count});
  WholeStep step{.variable = variable,
                 .w = parameters.data() + variable.offset,
                 .g = gradients.data() + variable.offset,
                 .slots = {},
                 .t = static_cast<float>(updates_done() + 1),
                 .learning_rate = learning_rate_,
                 .weight_decay = decays_[i],
                 .work = std::span<float>(const_cast<float*>(work_[i].data()), static_cast<std::size_t>(work_[i].size()))};
  for (std::size_t s = first_; s < slots_.size(); ++s) step.slots[s - first_] = slot(s) + variable.offset;
  std::visit(
      [&](const auto& one) {
        if constexpr (OfWholeVariables<std::remove_cvref_t<decltype(one)>>) lockstep::form(one, step);
      },
      spec_);
}

void Optimizer::update(std::span<float> parameters, std::span<float> gradients, VariableRange range) const {
  if (updates() && forms_) {
    subtract(parameters.data() + range.offset, gradients.data() + range.offset, range.count);
  } else if (updates()) {
    clip(gradients.data(), range);
    for (const auto& [weights, decay] : decay_ranges_) {
      const std::int64_t from = std::max(range.offset, weights.offset);
      StepRange step{.w = parameters.data() + from,
                     .g = gradients.data() + from,
                     .slots = {},
                     .count = std::min(range.offset + range.count, weights.offset + weights.count) - from,
                     .t = static_cast<float>(updates_done() + 1),
                     .learning_rate = learning_rate_,
                     .weight_decay = decay,
                     .number = numbers_.empty() ? 0 : numbers_[0].value};
      if (step.count <= 0) continue;
      for (std::size_t s = first_; s < slots_.size(); ++s) step.slots[s - first_] = slot(s) + from;
      std::visit(
          [&](const auto& one) {
            if constexpr (!OfWholeVariables<std::remove_cvref_t<decltype(one)>>) lockstep::update(one, step);
          },
          spec_);
    }
  }
  if (options_of(spec_).use_ema) average(parameters.data(), range);
}

/// As in Keras in every step, also in those that only accumulate gradients.
void Optimizer::average(float* parameters, VariableRange range) const {
  const OptimizerOptions& options = options_of(spec_);
  float *const w = parameters + range.offset, *const averages = slot(0) + range.offset;
  add_to_average(w, averages, range.count, updates_done() == 0 ? 0 : options.ema_momentum);
  const std::int64_t every = options.ema_overwrite_frequency;
  if (every > 0 && (updates_done() + 1) % every == 0) std::copy_n(averages, range.count, w);
}

void Optimizer::take_averages(std::span<float> parameters) const {
  const std::span<const float> averages = slots_[0].values.span();
  std::copy(averages.begin(), averages.end(), parameters.begin());
}

void Optimizer::count_step() {
  if (const auto* nadam = std::get_if<Nadam>(&spec_); nadam != nullptr && updates())
    numbers_[0].value = next_product(*nadam, numbers_[0].value, static_cast<float>(updates_done() + 1));
  set_iterations(iterations_ + 1);
}

void Optimizer::clip(float* gradients, VariableRange range) const {
  const OptimizerOptions& options = options_of(spec_);
  if (options.clipvalue > 0) clip_values(gradients + range.offset, range.count, options.clipvalue);
  if (!clips_by_norm()) return;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::int64_t from = std::max(range.offset, variables_[i].offset);
    const std::int64_t count = std::min(range.offset + range.count, variables_[i].offset + variables_[i].count) - from;
    if (factors_[i] == 1 || count <= 0) continue;
    scale_values(gradients + from, count, factors_[i]);
  }
}

}  // namespace lockstep
