#include "core/compile/optimizers/slots.h"

#include <algorithm>

namespace lockstep {
namespace {

std::vector<SlotKind> slots_of(const Sgd& sgd) { return sgd.momentum != 0 ? std::vector<SlotKind>{{"momentum"}} : std::vector<SlotKind>(); }
std::vector<SlotKind> adam_slots(bool amsgrad) {
  std::vector<SlotKind> slots = {{"momentum"}, {"velocity"}};
  if (amsgrad) slots.push_back({"velocity_hat", 1});
  return slots;
}
std::vector<SlotKind> slots_of(const Adam& adam) { return adam_slots(adam.amsgrad); }
std::vector<SlotKind> slots_of(const AdamW& adam) { return adam_slots(adam.amsgrad); }
std::vector<SlotKind> slots_of(const Nadam& /*nadam*/) { return adam_slots(false); }
std::vector<SlotKind> slots_of(const Lamb& /*lamb*/) { return adam_slots(false); }
std::vector<SlotKind> slots_of(const Muon& /*muon*/) { return adam_slots(false); }
std::vector<SlotKind> slots_of(const Lion& /*lion*/) { return {{"momentum"}}; }
std::vector<SlotKind> slots_of(const Lars& /*lars*/) { return {{"momentum"}}; }
std::vector<SlotKind> slots_of(const RMSprop& rmsprop) {
  std::vector<SlotKind> slots = {{"velocity"}};
  if (rmsprop.momentum > 0) slots.push_back({"momentum", 1});
  if (rmsprop.centered) slots.push_back({"average_gradient", 2});
  return slots;
}
std::vector<SlotKind> slots_of(const Adadelta& /*adadelta*/) { return {{"accumulated_grad"}, {"accumulated_delta_var"}}; }
std::vector<SlotKind> slots_of(const Adafactor& /*adafactor*/) { return {{"row"}, {"column"}, {"velocity"}}; }
std::vector<SlotKind> slots_of(const Adagrad& adagrad) { return {{.name = "accumulator", .initial = adagrad.initial_accumulator_value}}; }
std::vector<SlotKind> slots_of(const Adamax& /*adamax*/) { return {{"momentum"}, {"norm"}}; }
std::vector<SlotKind> slots_of(const Ftrl& ftrl) {
  return {{.name = "accumulator", .initial = ftrl.initial_accumulator_value}, {"linear"}};
}
std::vector<SlotKind> slots_of(const ScheduleFreeAdamW& /*adam*/) { return {{.name = "momentum", .of_weights = true}, {"velocity"}}; }

/// Of a matrix, or of many, its last two axes; all other variables have a number in the place of it.
Shape factored(std::size_t slot, const Shape& shape) {
  if (shape.size() < 2) return {};
  Shape left = shape;
  left.erase(left.end() - (slot == 0 ? 1 : 2));
  return left;
}

}  // namespace

std::vector<SlotKind> slot_kinds(const OptimizerSpec& spec) {
  return std::visit([](const auto& one) { return slots_of(one); }, spec);
}

std::vector<OptimizerNumber> number_kinds(const OptimizerSpec& spec) {
  if (std::holds_alternative<Nadam>(spec)) return {{"u_product", 1}};
  return {};
}

std::optional<Shape> slot_shape(const OptimizerSpec& spec, std::size_t slot, const OptimizerVariable& variable) {
  if (std::holds_alternative<Adafactor>(spec) && slot < 2) return factored(slot, variable.shape);
  const auto* muon = std::get_if<Muon>(&spec);
  if (muon != nullptr && slot == 1 && !takes_adam(*muon, variable)) return std::nullopt;
  return variable.shape;
}

bool takes_adam(const Muon& muon, const OptimizerVariable& variable) {
  if (variable.shape.size() != 2) return true;
  std::string lower = variable.path;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; });
  return (muon.exclude_embeddings && lower.find("embedding") != std::string::npos) || matches(muon.exclude_layers, variable.path);
}

}  // namespace lockstep
