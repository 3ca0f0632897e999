#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/compile/optimizers.h"
#include "core/training/sequential.h"

namespace lockstep {

/// Seconds of one step.
struct StepFloorTimes {
  double forward = 0, backward_data = 0, backward_weights = 0, optimizer = 0;
  double total() const { return forward + backward_data + backward_weights + optimizer; }
};

/// What a training step of products cannot easily be faster than, to measure steps against: the sum of oneDNN's primitives at the whole
/// batch's shape on one thread - forward with the bias (and relu) fused, backward data (not of the first layer), backward weights - and the
/// optimizer's pass over all parameters. No reading of rows, no other activation, no loss, no metrics. Float32. Its matrices are its own
/// and hold nothing of a model.
///
/// It is no law of nature: plain SGD can add to the weights inside the gradient's GEMM and save the optimizer's pass.
class StepFloor {
 public:
  /// `rows`: of the batch. Without an optimizer the forward primitives alone (inference).
  StepFloor(const std::vector<LayerProduct>& layers, std::int64_t rows, const OptimizerSpec* optimizer);
  ~StepFloor();
  StepFloor(StepFloor&&) noexcept;
  StepFloor& operator=(StepFloor&&) noexcept;

  std::int64_t rows() const;
  /// Runs each part by itself over and over, about `seconds` in all but each at least three times; the medians.
  StepFloorTimes measure(double seconds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
