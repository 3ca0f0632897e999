#include "core/math/onednn/kernel_gradient.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace lockstep {
namespace {

std::vector<float> numbers(std::int64_t count, float phase) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(std::sin(phase + static_cast<float>(i * i % 1009)));
  return values;
}

constexpr std::int64_t kIn = 157, kOut = 53, kStep = 48;

TEST(KernelGradient, IsXTransposedTimesD) {
  for (const std::int64_t rows : {1, 8, 33}) {
    const std::vector<float> x = numbers(rows * kIn, 1), d = numbers(rows * kOut, 2);
    KernelGradient gradient(kIn, kOut, kStep);
    gradient.prepare(rows, std::array<std::int64_t, 1>{kIn}, false, 1);
    gradient.prepare(rows, std::array<std::int64_t, 1>{kIn}, true, 1);
    std::vector<float> written(kIn * kOut), added(kIn * kOut, 3);
    gradient.write(x.data(), d.data(), rows, 0, kIn, written.data(), 0);
    gradient.add(-0.5F, x.data(), d.data(), rows, 0, kIn, added.data(), 0);
    for (std::int64_t i = 0; i < kIn; ++i) {
      for (std::int64_t o = 0; o < kOut; ++o) {
        double sum = 0;
        for (std::int64_t r = 0; r < rows; ++r) {
          sum += static_cast<double>(x[static_cast<std::size_t>(r * kIn + i)]) *
                 static_cast<double>(d[static_cast<std::size_t>(r * kOut + o)]);
        }
        const auto at = static_cast<std::size_t>(i * kOut + o);
        ASSERT_NEAR(written[at], sum, 1e-4) << i << ", " << o;
        ASSERT_NEAR(added[at], 3 - 0.5 * sum, 1e-4) << i << ", " << o;
      }
    }
  }
}

// An element has the same bits in a piece of its own, in larger ones, and in all.
TEST(KernelGradient, HasTheSameBitsInAnyPiece) {
  constexpr std::int64_t kRows = 32;
  const std::vector<float> x = numbers(kRows * kIn, 1), d = numbers(kRows * kOut, 2);
  for (const bool adds : {false, true}) {
    KernelGradient gradient(kIn, kOut, kStep);
    gradient.prepare(kRows, std::array<std::int64_t, 2>{96, kIn}, adds, 2);
    const auto run = [&](std::int64_t first, std::int64_t last, std::vector<float>& to, int thread) {
      float* const at = to.data() + first * kOut;
      if (adds) return gradient.add(0.1F, x.data(), d.data(), kRows, first, last, at, thread);
      gradient.write(x.data(), d.data(), kRows, first, last, at, thread);
    };
    const std::vector<float> before = numbers(kIn * kOut, 5);
    std::vector<float> all = before, pieces = before, larger = before;
    run(0, kIn, all, 0);
    for (std::int64_t first = 0; first < kIn; first += kStep) run(first, std::min(first + kStep, kIn), pieces, 1);
    run(0, 96, larger, 1);
    run(96, kIn, larger, 0);  // of a height that was not prepared
    EXPECT_EQ(all, pieces);
    EXPECT_EQ(all, larger);
  }
}

}  // namespace
}  // namespace lockstep
