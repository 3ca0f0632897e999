#pragma once
#include <cstdint>
#include <vector>

#include "core/data/shape.h"

namespace lockstep {

/// How the floats of a row share the elements of a smaller array of the same rank, whose axes are 1 where they share.
class Broadcast {
 public:
  /// `length` floats from `first` on. They have the elements from `element` on, one each, or all that one.
  struct Run {
    std::int64_t first, length, element;
  };

  /// Every axis of `small` is that of `row` or 1.
  Broadcast(const Shape& row, const Shape& small);

  /// In the order of the row.
  const std::vector<Run>& runs() const { return runs_; }
  /// Whether a run has one element for all its floats.
  bool shared() const { return shared_; }

 private:
  std::vector<Run> runs_;
  bool shared_;
};

}  // namespace lockstep
