#include "cluster/trace/clock_offset.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cluster/trace/trace.h"
#include "support/mpi_world.h"

namespace lockstep {
namespace {

using test::world;

constexpr std::int64_t kSecond = 1'000'000'000;

/// The ranks of one host, whose clock is put forward by 3 seconds for each rank: the true offset is known.
TEST(ClockOffset, IsFoundWithinItsOwnBound) {
  const auto clock = [] { return Trace::now() + 3 * kSecond * world().rank(); };
  const std::int64_t before = Trace::now();
  const ClockOffset offset = measured_clock_offset(world(), world().rank() > 0, clock);
  const std::int64_t elapsed = Trace::now() - before;
  EXPECT_LE(std::abs(offset.nanoseconds + 3 * kSecond * world().rank()), offset.error);
  EXPECT_LE(offset.error, elapsed);
  EXPECT_EQ(offset.error > 0, world().rank() > 0);
}

TEST(ClockOffset, OfThoseWhoDoNotMeasureIsZero) {
  const auto clock = [] { return Trace::now() + kSecond * world().rank(); };
  const bool measures = world().rank() == 2;
  const ClockOffset offset = measured_clock_offset(world(), measures, clock);
  EXPECT_EQ(offset.error > 0, measures);
  if (!measures) {
    EXPECT_EQ(offset.nanoseconds, 0);
  }
}

TEST(ClockOffset, OnOneHostThereIsOneClock) {
  const ClockOffset offset = clock_offset(world());
  EXPECT_EQ(offset.nanoseconds, 0);
  EXPECT_EQ(offset.error, 0);
}

}  // namespace
}  // namespace lockstep
