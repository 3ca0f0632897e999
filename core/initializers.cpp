#include "core/initializers.h"

#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/names.h"
#include "core/philox.h"

namespace lockstep {
namespace {

constexpr double kTruncatedDeviation = 0.87962566103423978;  // of N(0, 1) cut at +-2

constexpr std::array<std::pair<std::string_view, Initializer>, 8> kNames = {{{"glorot_uniform", Initializer::glorot_uniform},
                                                                              {"glorot_normal", Initializer::glorot_normal},
                                                                              {"he_uniform", Initializer::he_uniform},
                                                                              {"he_normal", Initializer::he_normal},
                                                                              {"lecun_uniform", Initializer::lecun_uniform},
                                                                              {"lecun_normal", Initializer::lecun_normal},
                                                                              {"zeros", Initializer::zeros},
                                                                              {"ones", Initializer::ones}}};

/// keras/src/initializers/random_initializers.py, compute_fans.
std::pair<double, double> fans(const Shape& shape) {
  if (shape.empty()) return {1, 1};
  if (shape.size() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double receptive = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) receptive *= static_cast<double>(shape[i]);
  return {receptive * static_cast<double>(shape[shape.size() - 2]), receptive * static_cast<double>(shape.back())};
}

double variance(Initializer initializer, const Shape& shape) {
  const auto [in, out] = fans(shape);
  switch (initializer) {
    case Initializer::he_uniform:
    case Initializer::he_normal: return 2 / std::max(1.0, in);
    case Initializer::lecun_uniform:
    case Initializer::lecun_normal: return 1 / std::max(1.0, in);
    default: return 1 / std::max(1.0, (in + out) / 2);
  }
}

/// A standard normal number in (-2, 2), drawn again until it lies there: try t takes block (index, t), Box and Muller.
double truncated_normal(const RandomStream& random, std::uint64_t index) {
  for (std::uint64_t t = 0;; ++t) {
    const PhiloxBlock words = random.block(index, t);
    const double u = (static_cast<double>(words[0]) + 0.5) * 0x1p-32, v = static_cast<double>(words[1]) * 0x1p-32;
    const double z = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    if (std::abs(z) < 2) return z;
  }
}

}  // namespace

std::string_view name_of(Initializer initializer) {
  for (const auto& [name, value] : kNames) {
    if (value == initializer) return name;
  }
  return "";
}

Initializer initializer_from_name(std::string_view name) {
  for (const auto& [known, value] : kNames) {
    if (known == name) return value;
  }
  throw unknown_name("initializer", name, kNames);
}

void initialize(Initializer initializer, const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values) {
  const RandomStream random(seed, RandomPurpose::weights, id);
  const double spread = variance(initializer, shape);
  for (std::size_t i = 0; i < values.size(); ++i) {
    switch (initializer) {
      case Initializer::zeros: values[i] = 0; break;
      case Initializer::ones: values[i] = 1; break;
      case Initializer::glorot_uniform:
      case Initializer::he_uniform:
      case Initializer::lecun_uniform: {
        const auto limit = static_cast<float>(std::sqrt(3 * spread));
        values[i] = limit * (2 * uniform(random.block(i, 0)[0]) - 1);
        break;
      }
      default: values[i] = static_cast<float>(std::sqrt(spread) / kTruncatedDeviation * truncated_normal(random, i));
    }
  }
}

}  // namespace lockstep
