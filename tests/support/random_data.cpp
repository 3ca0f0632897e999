#include "support/random_data.h"

#include <cmath>
#include <random>

namespace lockstep::test {
namespace {

std::vector<float> normal_numbers(std::int64_t count) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers) x = normal(random);
  return numbers;
}

}  // namespace

ArrayDataset labelled_rows(std::int64_t rows, std::int64_t width, std::int64_t classes, bool weights) {
  std::vector<float> x = normal_numbers(rows * width), y, w;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float first = x[static_cast<std::size_t>(r * width)], last = x[static_cast<std::size_t>(r * width + width - 1)];
    y.push_back(static_cast<float>(std::abs(std::lround(first * 2 + last)) % classes));
    if (weights) w.push_back(static_cast<float>(r % 3));
  }
  return {{width}, std::move(x), std::move(y), std::move(w)};
}

ArrayDataset target_rows(std::int64_t rows, std::int64_t width, std::int64_t outputs) {
  std::vector<float> x = normal_numbers(rows * width), y;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < outputs; ++k)
      y.push_back(std::sin(x[static_cast<std::size_t>(r * width + k % width)]) + static_cast<float>(k));
  }
  return {{width}, std::move(x), std::move(y)};
}

}  // namespace lockstep::test
