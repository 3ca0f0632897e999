#pragma once

namespace lockstep {

// A relu moves from the op that ends in it to a neighbour that makes a pass over the same numbers anyway, or over fewer, with the same
// results. Ops that take part derive from these beside Op.

class LeavesRelu {
 public:
  virtual ~LeavesRelu() = default;
  /// Whether the op ends in a relu. After leave_relu() it does not.
  virtual bool ends_in_relu() const = 0;
  virtual void leave_relu() = 0;
  /// Set: the op is nothing but its activation, so that it copies once that is gone.
  virtual bool only_activates() const { return false; }
};

class TakesRelu {
 public:
  virtual ~TakesRelu() = default;
  /// Takes the relu of the op in front of this one, or behind it. Whether it does.
  virtual bool take_relu_before() { return false; }
  virtual bool take_relu_behind() { return false; }
};

}  // namespace lockstep
