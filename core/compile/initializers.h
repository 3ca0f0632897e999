#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/data/shape.h"

namespace lockstep {

/// Initial values of a weight, Keras 3's distributions (keras/src/initializers/random_initializers.py). fan_in, fan_out = the two axes of a
/// kernel. glorot: variance 2/(fan_in+fan_out), he: 2/fan_in, lecun: 1/fan_in; `normal` is truncated at two standard deviations with
/// sigma = sqrt(variance)/0.8796, `uniform` is U[-sqrt(3 variance), +sqrt(3 variance)).
enum class Initializer { glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros, ones };

std::string_view name_of(Initializer initializer);
Initializer initializer_from_name(std::string_view name);

/// Fills `values` (row-major, elements(shape) of them). Each value is a pure function of (seed, id, its index): the same on every rank and
/// machine with the same libm; `id` tells one weight of a model from another.
void initialize(Initializer initializer, const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values);

}  // namespace lockstep
