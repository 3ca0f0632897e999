#include "io/run/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "io/data/data_file.h"
#include "io/import/housing.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;

std::vector<std::int64_t> counts(const std::string& text, std::int64_t rows) {
  std::vector<std::int64_t> result;
  for (const Split& split : parse_split(text, rows)) result.push_back(split.rows);
  return result;
}

TEST(Split, CutsAtRoundedCumulativeShares) {
  EXPECT_EQ(counts("train=0.5625,valid=0.1875,test=0.25", 20640), (std::vector<std::int64_t>{11610, 3870, 5160}));
  EXPECT_EQ(counts("train=0.6,valid=0.2,test=0.2", 7), (std::vector<std::int64_t>{4, 2, 1}));
  EXPECT_EQ(counts("a=0.333333,b=0.333333,c=0.333334", 10), (std::vector<std::int64_t>{3, 4, 3}));
  EXPECT_EQ(counts("all=1", 5), std::vector<std::int64_t>{5});
  for (const char* bad : {"", "train", "train=", "=1", "train=x", "train=1.5", "train=0.5", "train=-0.5,b=1", "train=0.5,", "a=0.5,a=0.5",
                          "a/b=1", "a=nan"}) {
    expect_error([&] { parse_split(bad, 100); }, {"split"});
  }
  expect_error([&] { parse_split("train=0.99,test=0.01", 10); }, {"no row", "test"});
}

TEST(Split, ShufflingIsAPermutationOfTheSeedAlone) {
  const std::vector<std::int64_t> order = shuffled_rows(1000, 42);
  EXPECT_EQ(order, shuffled_rows(1000, 42));
  EXPECT_NE(order, shuffled_rows(1000, 43));
  std::vector<std::int64_t> sorted = order, expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_NE(order, expected);
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, expected);
}

TEST(Table, EveryRowLandsInOneSplitWithItsTarget) {
  TempDir dir;
  Table table;
  table.feature_names = {"a", "b"};
  table.target_names = {"c", "d"};
  table.rows = 10;
  for (int i = 0; i < 10; ++i) {
    const auto value = static_cast<float>(i);
    table.x.insert(table.x.end(), {value, value * 10});
    table.y.insert(table.y.end(), {value * 100, -value});
  }
  {
    Hdf5File file = Hdf5File::create(dir / "t.h5");
    write_table(file, table, parse_split("train=0.7,test=0.3", 10), 5);
  }
  const Hdf5File file = Hdf5File::open(dir / "t.h5");
  std::vector<float> seen;
  for (const auto& [group, rows] : {std::pair<std::string, std::int64_t>{"/train", 7}, {"/test", 3}}) {
    std::vector<float> x(static_cast<std::size_t>(2 * rows)), y(x.size());
    file.read_rows<float>(group + "/x", 0, rows, x);
    file.read_rows<float>(group + "/y", 0, rows, y);
    for (std::size_t i = 0; i < x.size(); i += 2) {
      EXPECT_EQ(x[i + 1], x[i] * 10);
      EXPECT_EQ(y[i], x[i] * 100);
      EXPECT_EQ(y[i + 1], -x[i]);
      seen.push_back(x[i]);
    }
  }
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(read_names(file).feature_names, table.feature_names);
  EXPECT_EQ(read_names(file).target_names, table.target_names);
}

TEST(Table, ClassIndicesTakeAByteWhereTheyFit) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "t.h5");
  write_labels(file, "/small", {0, 255});
  write_labels(file, "/large", {0, 256});
  EXPECT_EQ(file.info("/small").type, ElementType::u8);
  EXPECT_EQ(file.info("/large").type, ElementType::i64);
  std::array<std::int64_t, 2> found{};
  file.read_rows<std::int64_t>("/large", 0, 2, found);
  EXPECT_EQ(found[1], 256);
}

TEST(Housing, ScalesDifferAndTheTargetIsNotLinear) {
  const Table table = make_housing(4000, 1);
  EXPECT_EQ(table.x, make_housing(4000, 1).x);
  EXPECT_NE(table.y, make_housing(4000, 2).y);
  std::array<double, 8> mean{};
  for (std::size_t i = 0; i < table.x.size(); ++i) mean[i % 8] += static_cast<double>(table.x[i]) / 4000;
  EXPECT_GT(mean[4], 1000);  // population
  EXPECT_LT(mean[3], 2);     // bedrooms
  EXPECT_LT(mean[7], -100);  // longitude
  for (float value : table.y) ASSERT_TRUE(value >= 0.15F && value <= 5.0F);
  // Rows that differ in nothing but place: near San Francisco (37.7, -122.4) prices are higher than in the north-east, at any income.
  double near = 0, far = 0, near_rows = 0, far_rows = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    const double north = static_cast<double>(table.x[8 * i + 6]) - 37.7, east = static_cast<double>(table.x[8 * i + 7]) + 122.4;
    const double distance = std::sqrt(north * north + east * east);
    if (distance < 0.7) near += static_cast<double>(table.y[i]), ++near_rows;
    if (distance > 3 && north > 2) far += static_cast<double>(table.y[i]), ++far_rows;
  }
  ASSERT_GT(near_rows, 20);
  EXPECT_GT(near / near_rows, far / far_rows + 1);
}

}  // namespace
}  // namespace lockstep
