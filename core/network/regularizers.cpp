#include "core/network/regularizers.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

double penalty(Network& network) {
  double total = 0;
  for (const Variable& variable : network.variables()) {
    const Regularizer& r = variable.regularizer;
    if (r.l1 == 0 && r.l2 == 0) continue;
    double absolute = 0, square = 0;
    for (const float w :
         network.parameters().subspan(static_cast<std::size_t>(variable.offset), static_cast<std::size_t>(elements(variable.shape)))) {
      absolute += std::abs(static_cast<double>(w));
      square += static_cast<double>(w) * w;
    }
    total += r.l1 * absolute + r.l2 * square;
  }
  return total;
}

bool has_regularizer(const Network& network) {
  return std::any_of(network.variables().begin(), network.variables().end(),
                     [](const Variable& variable) { return variable.regularizer.l1 != 0 || variable.regularizer.l2 != 0; });
}

void add_penalty_gradient(Network& network, std::span<float> gradients, VariableRange range) {
  for (const Variable& variable : network.variables()) {
    const Regularizer& r = variable.regularizer;
    if (r.l1 == 0 && r.l2 == 0) continue;
    const float* w = network.parameters().data();
    const std::int64_t last = std::min(variable.offset + elements(variable.shape), range.offset + range.count);
    for (std::int64_t i = std::max(variable.offset, range.offset); i < last; ++i) {
      const float sign = w[i] > 0 ? 1.F : w[i] < 0 ? -1.F : 0.F;
      gradients[static_cast<std::size_t>(i)] += r.l1 * sign + 2 * r.l2 * w[i];
    }
  }
}

}  // namespace lockstep
