#pragma once
#include <initializer_list>
#include <utility>
#include <vector>

#include "core/data/shape.h"

namespace lockstep {

/// A setting that is a number, a list of numbers, or lists of such lists of equal length: 0.5, {1, 2}, {{1, 2}, {3, 4}}; or nothing.
struct Numbers {
  Numbers() = default;
  Numbers(float number) : values{number} {}
  Numbers(std::initializer_list<float> list) : Numbers(std::vector<float>(list)) {}
  Numbers(std::vector<float> list) : shape{static_cast<std::int64_t>(list.size())}, values(std::move(list)) {}
  Numbers(Shape shape_of, std::vector<float> list) : shape(std::move(shape_of)), values(std::move(list)) {}

  bool empty() const { return values.empty(); }

  Shape shape = {};  ///< {} of a single number
  std::vector<float> values = {};
};

}  // namespace lockstep
