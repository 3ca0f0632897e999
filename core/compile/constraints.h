#pragma once
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"
#include "core/data/shape.h"

namespace lockstep {

// What a weight must be after every step of the optimizer: keras/src/constraints/constraints.py. Norms are sqrt(sum of w^2) over `axis`, an
// axis of the weight or several: 0 of a Dense kernel (in, out) is a norm for each output.

/// Vectors longer than max_value are scaled to it.
struct MaxNorm {
  static constexpr Kind kKind = {.class_name = "MaxNorm", .name = "max_norm"};
  float max_value = 2;
  std::vector<std::int64_t> axis = {0};
};
/// w = max(w, 0).
struct NonNeg {
  static constexpr Kind kKind = {.class_name = "NonNeg", .name = "non_neg"};
};
/// Every vector is scaled to length 1.
struct UnitNorm {
  static constexpr Kind kKind = {.class_name = "UnitNorm", .name = "unit_norm"};
  std::vector<std::int64_t> axis = {0};
};
/// Every vector's length goes the part `rate` of its way into [min_value, max_value].
struct MinMaxNorm {
  static constexpr Kind kKind = {.class_name = "MinMaxNorm", .name = "min_max_norm"};
  float min_value = 0;
  float max_value = 1;
  float rate = 1;
  std::vector<std::int64_t> axis = {0};
};

template <Is<MaxNorm> S, class Visit>
void fields(S& norm, Visit&& visit) {
  visit(Field{"max_value", at_least(0)}, norm.max_value);
  visit(Field{.name = "axis", .bare_if_one = true}, norm.axis);
}
template <Is<UnitNorm> S, class Visit>
void fields(S& norm, Visit&& visit) {
  visit(Field{.name = "axis", .bare_if_one = true}, norm.axis);
}
template <Is<MinMaxNorm> S, class Visit>
void fields(S& norm, Visit&& visit) {
  visit(Field{"min_value", at_least(0)}, norm.min_value);
  visit(Field{"max_value", at_least(0)}, norm.max_value);
  visit(Field{"rate", between(0, 1)}, norm.rate);
  visit(Field{.name = "axis", .bare_if_one = true}, norm.axis);
}

/// Any of the above, or none.
struct Constraint {
  static constexpr const char *kNoun = "constraint", *kModule = "keras.constraints";
  using Kinds = std::variant<MaxNorm, NonNeg, UnitNorm, MinMaxNorm>;

  Constraint() = default;
  Constraint(Kinds kinds) : kind(std::move(kinds)) {}
  template <AlternativeOf<Kinds> One>
  Constraint(One one) : kind(std::move(one)) {}

  std::optional<Kinds> kind;
};

/// A constraint on a weight of this shape, ready to be applied. It allocates nothing then.
class WeightConstraint {
 public:
  /// `constraint`: not none. An axis that the shape does not have is an Error (kUsage).
  WeightConstraint(const Constraint& constraint, const Shape& shape);
  /// Changes the weight's elements(shape) floats, row-major. A weight that fits already keeps its bits under MaxNorm and NonNeg.
  void apply(float* w);

 private:
  void scale(float* w);
  Constraint::Kinds kind_;
  std::int64_t run_ = 1;               // floats of the last axis, which share a norm or have one each
  bool one_norm_ = false;              // they share it
  std::vector<std::int64_t> norm_of_;  // of every run: index of its first norm
  std::vector<double> norms_;          // squares, then factors
};

}  // namespace lockstep
