#include "core/compile/initializers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "cluster/error.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

struct Names {
  Initializer initializer;
  std::string_view name, class_name;
};

constexpr std::array<Names, 8> kNames = {{{Initializer::glorot_uniform, "glorot_uniform", "GlorotUniform"},
                                          {Initializer::glorot_normal, "glorot_normal", "GlorotNormal"},
                                          {Initializer::he_uniform, "he_uniform", "HeUniform"},
                                          {Initializer::he_normal, "he_normal", "HeNormal"},
                                          {Initializer::lecun_uniform, "lecun_uniform", "LecunUniform"},
                                          {Initializer::lecun_normal, "lecun_normal", "LecunNormal"},
                                          {Initializer::zeros, "zeros", "Zeros"},
                                          {Initializer::ones, "ones", "Ones"}}};

// Standard deviation of a standard normal cut at -2 and 2.
constexpr double kTruncatedDeviation = 0.87962566103423978;

struct Fan {
  double in, out;
};

Fan fan_of(const Shape& shape) {
  if (shape.empty()) return {1, 1};
  if (shape.size() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double receptive = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) receptive *= static_cast<double>(shape[i]);
  return {receptive * static_cast<double>(shape[shape.size() - 2]), receptive * static_cast<double>(shape.back())};
}

// Variance of glorot, he and lecun: Keras' scale / max(1, n).
double variance_of(Initializer initializer, const Fan& fan) {
  switch (initializer) {
    case Initializer::glorot_uniform:
    case Initializer::glorot_normal: return 1 / std::max(1.0, (fan.in + fan.out) / 2);
    case Initializer::he_uniform:
    case Initializer::he_normal: return 2 / std::max(1.0, fan.in);
    default: return 1 / std::max(1.0, fan.in);
  }
}

// Values in [-limit, limit); four elements to a block.
void fill_uniform(const RandomStream& stream, double limit, std::span<float> values) {
  const auto bound = static_cast<float>(limit);
  PhiloxBlock block{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) block = stream.block(i / 4, 0);
    values[i] = bound * (2 * uniform(block[i % 4]) - 1);
  }
}

// Two standard normal numbers by Box and Muller; the first word is taken from (0, 1), so that its log is finite.
std::array<double, 2> normal_pair(std::uint32_t first, std::uint32_t second) {
  const double radius = std::sqrt(-2 * std::log((first + 0.5) * 0x1p-32));
  const double angle = 2 * std::numbers::pi * (second * 0x1p-32);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// The first of the element's own numbers that lies within two standard deviations; one in twenty is redrawn.
double truncated_normal(const RandomStream& stream, std::uint64_t element) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const PhiloxBlock block = stream.block(element, attempt);
    for (const std::size_t word : {0U, 2U}) {
      for (const double z : normal_pair(block[word], block[word + 1])) {
        if (std::abs(z) <= 2) return z;
      }
    }
  }
}

}  // namespace

std::string_view name_of(Initializer initializer) {
  const auto found = std::find_if(kNames.begin(), kNames.end(), [=](const Names& names) { return names.initializer == initializer; });
  if (found == kNames.end()) throw Error(fmt::format("not an initializer: {}", static_cast<int>(initializer)));
  return found->name;
}

Initializer initializer_from_name(std::string_view name) {
  std::string known;
  for (const Names& names : kNames) {
    if (name == names.name || name == names.class_name) return names.initializer;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", names.name);
  }
  throw Error(fmt::format("unknown initializer '{}'; known are {}", name, known), kUsage);
}

void initialize(Initializer initializer, const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values) {
  if (static_cast<std::int64_t>(values.size()) != elements(shape)) {
    throw Error(fmt::format("initializer {}: shape {} has {} elements, but there is room for {}", name_of(initializer), to_string(shape),
                            elements(shape), values.size()));
  }
  const RandomStream stream(seed, RandomPurpose::weights, id);
  const double variance = variance_of(initializer, fan_of(shape));
  switch (initializer) {
    case Initializer::zeros: return std::fill(values.begin(), values.end(), 0.0F);
    case Initializer::ones: return std::fill(values.begin(), values.end(), 1.0F);
    case Initializer::glorot_uniform:
    case Initializer::he_uniform:
    case Initializer::lecun_uniform: return fill_uniform(stream, std::sqrt(3 * variance), values);
    case Initializer::glorot_normal:
    case Initializer::he_normal:
    case Initializer::lecun_normal: {
      const double sigma = std::sqrt(variance) / kTruncatedDeviation;
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(sigma * truncated_normal(stream, i));
      return;
    }
  }
}

}  // namespace lockstep
