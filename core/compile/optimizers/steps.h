#pragma once
#include <array>
#include <cstdint>

#include "core/compile/optimizers.h"

namespace lockstep {

// The updates of one step over a range of weights, element by element.

/// A range of the flat buffers at a step. Weights w, gradients g and slots do not overlap.
struct StepRange {
  float* w;
  const float* g;
  std::array<float*, 3> slots;  ///< the kind's own
  std::int64_t count;
  float t;  ///< updates done and this one
  float learning_rate, weight_decay;
  float number;  ///< Nadam's u_product before the step
};

void update(const Sgd& sgd, const StepRange& range);
void update(const Adam& adam, const StepRange& range);
void update(const AdamW& adam, const StepRange& range);
void update(const RMSprop& rmsprop, const StepRange& range);
void update(const Lion& lion, const StepRange& range);
void update(const Adadelta& adadelta, const StepRange& range);
void update(const Adagrad& adagrad, const StepRange& range);
void update(const Adamax& adamax, const StepRange& range);
void update(const Ftrl& ftrl, const StepRange& range);
void update(const Nadam& nadam, const StepRange& range);
void update(const ScheduleFreeAdamW& adam, const StepRange& range);

/// Nadam's u_product after the t-th update.
float next_product(const Nadam& nadam, float product, float t);

/// w -= g.
void subtract(float* w, const float* g, std::int64_t count);
/// sum += g.
void add_gradient(const float* g, float* sum, std::int64_t count);
/// g = (g + sum) / steps; sum = 0.
void take_mean(float* g, float* sum, std::int64_t count, float steps);
/// average = momentum average + (1 - momentum) w.
void add_to_average(const float* w, float* average, std::int64_t count, float momentum);
/// g = min(max(g, -limit), limit); NaN stays NaN.
void clip_values(float* g, std::int64_t count, float limit);
/// g *= factor.
void scale_values(float* g, std::int64_t count, double factor);
/// Sum of squares of [offset, offset + count) in double: per block of 65,536 floats of the flat buffer, then block after block.
double sum_of_squares(const float* flat, std::int64_t offset, std::int64_t count);

}  // namespace lockstep
