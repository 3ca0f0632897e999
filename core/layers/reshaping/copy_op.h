#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/layers/op.h"

namespace lockstep {

/// The output of a row, in order, as runs of floats that are copied from the row or are 0.
class Copies {
 public:
  static constexpr std::int64_t kZeros = -1;

  /// The next `length` floats of the output: those from `from` on, or zeros. Runs that follow one another become one.
  void add(std::int64_t from, std::int64_t length);

  struct Run {
    std::int64_t from, length;
  };
  const std::vector<Run>& runs() const { return runs_; }

 private:
  std::vector<Run> runs_;
};

/// An op that copies floats of a row of `in`. A float that is copied several times gets the sum of the gradients.
std::unique_ptr<Op> copy_op(std::int64_t in, const Copies& copies);

}  // namespace lockstep
