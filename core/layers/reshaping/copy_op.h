#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/layers/op.h"

namespace lockstep {

/// An index that counts to `length`: a step of it goes on by `from` floats in a row of the input and by `to` floats in one of the output.
struct CopyAxis {
  std::int64_t length, from, to;
};

/// Which floats of a row of `in` make a row of `out`: those of all indices of the axes, the last of which runs fastest. What no index
/// reaches is 0.
struct Copies {
  std::int64_t in, out;
  std::vector<CopyAxis> axes;
  std::int64_t from = 0, to = 0;  ///< of the first float
};

/// An op that copies floats of a row. A float that is copied several times gets the sum of the gradients.
std::unique_ptr<Op> copy_op(const Copies& copies);

}  // namespace lockstep
