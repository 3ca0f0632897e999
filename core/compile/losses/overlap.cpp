#include "core/compile/losses/overlap.h"

#include "core/compile/losses/rows.h"

namespace lockstep {
namespace {

constexpr double kEpsilon = 1e-7F;

template <class Loss>
void rows_of(const Loss& loss, const LossRows& rows) {
  for_rows(rows, [&loss](std::int64_t, const LossRow& row) {
    const double products = sum(row.truth, row.input, row.width, [](double y, double p) { return y * p; });
    const double truths = sum(row.truth, row.input, row.width, [](double y, double) { return y; });
    const double outputs = sum(row.truth, row.input, row.width, [](double, double p) { return p; });
    const Overlap overlap = overlap_of(loss, products, truths, outputs);
    *row.value = overlap.value;
    if (row.delta == nullptr) return;
    const double of_truth = row.step * overlap.slope_of_truth, slope = row.step * overlap.slope;
    map(row.truth, row.input, row.delta, row.width, [=](float y, float) { return static_cast<float>(of_truth * y + slope); });
  });
}

}  // namespace

void overlap_rows(const Dice& loss, const LossRows& rows) { rows_of(loss, rows); }
void overlap_rows(const Tversky& loss, const LossRows& rows) { rows_of(loss, rows); }

Overlap overlap_of(const Dice&, double products, double truths, double outputs) {
  const double both = truths + outputs + kEpsilon;
  return {1 - 2 * products / both, -2 / both, 2 * products / (both * both)};
}

Overlap overlap_of(const Tversky& loss, double products, double truths, double outputs) {
  const double alpha = loss.alpha, beta = loss.beta;
  const double all = products + alpha * (truths - products) + beta * (outputs - products) + kEpsilon;
  return {1 - products / all, -(all - products * (1 - alpha - beta)) / (all * all), products * beta / (all * all)};
}

}  // namespace lockstep
