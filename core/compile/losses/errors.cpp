#include "core/compile/losses/errors.h"

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "core/compile/losses/rows.h"

namespace lockstep {
namespace {

constexpr double kEpsilon = 1e-7F;

/// A row's truth as -1 and 1: that of 0 and 1 is turned into it, other truth stays.
struct HingeTruth {
  double scale = 1, offset = 0;
  double operator()(double y) const { return y * scale + offset; }
};
HingeTruth hinge_truth(const LossRow& row) {
  const bool binary = std::all_of(row.truth, row.truth + row.width, [](float y) { return y == 0 || y == 1; });
  return binary ? HingeTruth{2, -1} : HingeTruth{};
}

/// x held in [epsilon, 1].
double held(double x) { return x < kEpsilon ? kEpsilon : x > 1 ? 1 : x; }

double norm_of(const float* x, std::int64_t width) {
  return std::sqrt(sum(x, x, width, [](double a, double b) { return a * b; }));
}

}  // namespace

LOCKSTEP_CLONES void error_rows(const MeanSquaredError&, const LossRows& rows) {
  mean_over_rows(
      rows,
      [](double y, double p) {
        const double e = p - y;
        return e * e;
      },
      [](double y, double p) { return 2 * (p - y); });
}

LOCKSTEP_CLONES void error_rows(const MeanAbsoluteError&, const LossRows& rows) {
  mean_over_rows(
      rows,
      [](double y, double p) {
        const double e = p - y;
        return e < 0 ? -e : e;
      },
      [](double y, double p) {
        const double e = p - y;
        return e > 0 ? 1.0 : e < 0 ? -1.0 : e;  // 0 at 0; NaN stays NaN
      });
}

LOCKSTEP_CLONES void error_rows(const MeanAbsolutePercentageError&, const LossRows& rows) {
  const auto per = [](double y) {
    const double size = y < 0 ? -y : y;
    return 100 / (size > kEpsilon ? size : kEpsilon);
  };
  mean_over_rows(
      rows,
      [per](double y, double p) {
        const double e = p - y;
        return (e < 0 ? -e : e) * per(y);
      },
      [per](double y, double p) {
        const double e = p - y;
        return (e > 0 ? 1.0 : e < 0 ? -1.0 : e) * per(y);
      });
}

void error_rows(const MeanSquaredLogarithmicError&, const LossRows& rows) {
  const auto apart = [](double y, double p) { return std::log1p(p < kEpsilon ? kEpsilon : p) - std::log1p(y < kEpsilon ? kEpsilon : y); };
  mean_over_rows(
      rows,
      [apart](double y, double p) {
        const double e = apart(y, p);
        return e * e;
      },
      [apart](double y, double p) { return p < kEpsilon ? 0.0 : 2 * apart(y, p) / (p + 1); });
}

LOCKSTEP_CLONES void error_rows(const Huber& loss, const LossRows& rows) {
  const double limit = loss.delta;
  mean_over_rows(
      rows,
      [limit](double y, double p) {
        const double e = p - y, size = e < 0 ? -e : e;
        const double near = 0.5 * e * e, far = limit * size - 0.5 * limit * limit;
        return size <= limit ? near : far;
      },
      [limit](double y, double p) {
        const double e = p - y;
        return e > limit ? limit : e < -limit ? -limit : e;
      });
}

LOCKSTEP_CLONES void error_rows(const LogCosh&, const LossRows& rows) {
  constexpr double kLog2 = 0x1.62e42fefa39efp-1;
  mean_over_rows(
      rows, [](double y, double p) { return p - y + softplus_of(-2 * (p - y)) - kLog2; },
      [](double y, double p) { return hyperbolic_tangent(p - y); });
}

void error_rows(const Poisson&, const LossRows& rows) {
  mean_over_rows(
      rows, [](double y, double p) { return p - y * std::log(p + kEpsilon); }, [](double y, double p) { return 1 - y / (p + kEpsilon); });
}

void error_rows(const KLDivergence&, const LossRows& rows) {
  for_rows(rows, [](std::int64_t, const LossRow& row) {
    *row.value = sum(row.truth, row.input, row.width, [](double y, double p) { return held(y) * std::log(held(y) / held(p)); });
    if (row.delta == nullptr) return;
    const double step = row.step;
    map(row.truth, row.input, row.delta, row.width,
        [step](float y, float p) { return static_cast<float>(p < kEpsilon || p > 1 ? 0 : -step * held(y) / p); });
  });
}

void error_rows(const CosineSimilarity&, const LossRows& rows) {
  for_rows(rows, [](std::int64_t, const LossRow& row) {
    constexpr double kMost = 1e7;  // of what a row is divided by, 1 / epsilon
    const double of_y = std::min(1 / norm_of(row.truth, row.width), kMost), exact_of_p = 1 / norm_of(row.input, row.width);
    const double of_p = std::min(exact_of_p, kMost);
    const double cosine = sum(row.truth, row.input, row.width, [](double y, double p) { return y * p; }) * of_y * of_p;
    *row.value = -cosine;
    if (row.delta == nullptr) return;
    const double along = exact_of_p < kMost ? cosine * of_p : 0, step = row.step * of_p;
    map(row.truth, row.input, row.delta, row.width, [=](float y, float p) { return static_cast<float>(step * (along * p - of_y * y)); });
  });
}

void error_rows(const Hinge&, const LossRows& rows) {
  for_rows(rows, [](std::int64_t, const LossRow& row) {
    const HingeTruth truth = hinge_truth(row);
    mean_over_row(
        row,
        [truth](double y, double p) {
          const double missing = 1 - truth(y) * p;
          return missing < 0 ? 0.0 : missing;
        },
        [truth](double y, double p) {
          const double missing = 1 - truth(y) * p;
          return missing < 0 ? 0.0 : 0 * missing - truth(y);  // NaN stays NaN
        });
  });
}

void error_rows(const SquaredHinge&, const LossRows& rows) {
  for_rows(rows, [](std::int64_t, const LossRow& row) {
    const HingeTruth truth = hinge_truth(row);
    mean_over_row(
        row,
        [truth](double y, double p) {
          const double missing = 1 - truth(y) * p;
          return missing < 0 ? 0.0 : missing * missing;
        },
        [truth](double y, double p) {
          const double missing = 1 - truth(y) * p;
          return missing < 0 ? 0.0 : -2 * missing * truth(y);
        });
  });
}

void error_rows(const CategoricalHinge&, const LossRows& rows) {
  for_rows(rows, [](std::int64_t, const LossRow& row) {
    const double right = sum(row.truth, row.input, row.width, [](double y, double p) { return y * p; });
    const auto other = [&row](std::int64_t k) { return (1 - static_cast<double>(row.truth[k])) * row.input[k]; };
    double wrong = other(0), nan = 0;
    std::int64_t largest = 0;  // how many are
    for (std::int64_t k = 0; k < row.width; ++k) {
      if (other(k) > wrong) largest = 0;
      wrong = std::max(wrong, other(k));
      largest += other(k) == wrong;
      nan += 0 * other(k);
    }
    const double missing = wrong - right + 1 + nan;
    *row.value = missing < 0 ? 0 : missing;
    if (row.delta == nullptr) return;
    for (std::int64_t k = 0; k < row.width; ++k) {  // the largest others share their part
      const double y = row.truth[k];
      const double slope = other(k) == wrong ? (1 - y) / static_cast<double>(largest) - y : -y;
      row.delta[k] = static_cast<float>(missing < 0 ? 0 : row.step * (slope + nan));
    }
  });
}

}  // namespace lockstep
