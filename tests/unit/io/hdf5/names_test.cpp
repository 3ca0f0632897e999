// Files that name their classes and columns: what is read has one order, whatever that of each file is.
#include <gtest/gtest.h>

#include <numeric>

#include "io/data/data_file.h"
#include "io/hdf5/dataset.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;
using Strings = std::vector<std::string>;

/// Rows whose column NAME holds 100 * its letter + row, and the class index of each row.
template <class Label = std::uint8_t>
void write(const std::string& path, const Strings& features, const Strings& classes, const std::vector<Label>& labels) {
  Hdf5File file = Hdf5File::create(path);
  const auto rows = static_cast<std::int64_t>(labels.size()), columns = static_cast<std::int64_t>(features.size());
  std::vector<double> x;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const std::string& name : features) x.push_back(100 * name[0] + static_cast<double>(r));
  }
  file.write<double>("/train/x", {rows, columns}, x);
  file.write<Label>("/train/y", {rows}, labels);
  write_names(file, {classes, features, {}, "", ""});
  file.close();
}

/// All rows, one by one in reverse and once more in order, from memory and streamed: columns, then the label.
void expect_rows(const Hdf5Dataset& data, const std::vector<std::vector<float>>& expected) {
  ASSERT_EQ(data.rows(), static_cast<std::int64_t>(expected.size()));
  std::vector<std::int64_t> order(expected.size());
  std::iota(order.rbegin(), order.rend(), 0);
  for (std::size_t r = 0; r < expected.size(); ++r) order.push_back(static_cast<std::int64_t>(r));
  const auto reader = data.open({{0, data.rows()}});
  reader->begin(order);
  for (const std::int64_t r : order) {
    std::vector<float> row(expected[0].size());
    float weight = 0;
    reader->read(1, {row.data(), &row.back(), &weight});
    EXPECT_EQ(row, expected[static_cast<std::size_t>(r)]) << r;
  }
}

TEST(DataNames, ColumnsAndClassesOfAllFilesTakeTheOrderOfTheFirst) {
  TempDir dir;
  write(dir / "day1.h5", {"a", "b", "c"}, {"cat", "dog"}, {0, 1});
  write(dir / "day2.h5", {"c", "a", "b"}, {"dog", "fox", "cat"}, {0, 1, 2});
  for (const std::int64_t budget : {1 << 20, 0}) {
    const Hdf5Dataset data(dir / "day*.h5", "train", {.memory_budget = budget});
    expect_rows(data, {{9700, 9800, 9900, 0}, {9701, 9801, 9901, 1}, {9700, 9800, 9900, 1}, {9701, 9801, 9901, 2}, {9702, 9802, 9902, 0}});
    EXPECT_EQ(data.class_names(), (Strings{"cat", "dog", "fox"}));
    EXPECT_EQ(data.names().feature_names, (Strings{"a", "b", "c"}));
    EXPECT_EQ(data.notes(), (Strings{(dir / "day2.h5") + ": its columns take the order of " + (dir / "day1.h5"),
                                     (dir / "day2.h5") + ": its class indices take the order of " + (dir / "day1.h5")}));
    std::vector<float> labels;
    data.each_truth({0, 5}, [&](std::int64_t, std::span<const float> truth, std::span<const float>) {
      labels.insert(labels.end(), truth.begin(), truth.end());
    });
    EXPECT_EQ(labels, (std::vector<float>{0, 1, 1, 2, 0}));
  }
}

TEST(DataNames, OtherDataTakeTheOrderThatIsGiven) {
  TempDir dir;
  write(dir / "train.h5", {"a", "b"}, {"cat", "dog"}, {0, 1});
  write(dir / "test.h5", {"b", "a"}, {"dog"}, {0});
  const DataNames names = Hdf5Dataset(dir / "train.h5", "train").names();
  const Hdf5Dataset test(dir / "test.h5", "train", {.names = names});
  expect_rows(test, {{9700, 9800, 1}});
  EXPECT_EQ(test.class_names(), names.class_names);
  const Hdf5Dataset same(dir / "train.h5", "train", {.names = names});
  EXPECT_TRUE(same.notes().empty());
  expect_rows(same, {{9700, 9800, 0}, {9701, 9801, 1}});
}

TEST(DataNames, LabelsOfEveryTypeAreMapped) {
  TempDir dir;
  const DataNames names{{"cat", "dog"}, {}, {}, "", "a model"};
  const auto check = [&]<class Label>(Label) {
    write<Label>(dir / "y.h5", {"a"}, {"dog", "cat"}, {0, 1});
    expect_rows(Hdf5Dataset(dir / "y.h5", "train", {.names = names}), {{9700, 1}, {9701, 0}});
  };
  check(std::int32_t{});
  check(std::int64_t{});
  check(float{});
  check(double{});
}

TEST(DataNames, WhatIsMissingOrUnknownIsAnError) {
  TempDir dir;
  const DataNames names{{"cat", "dog"}, {"a", "b"}, {}, "", "train.h5"};
  const auto open = [&](const Strings& features, const Strings& classes, const std::vector<std::uint8_t>& labels) {
    write(dir / "new.h5", features, classes, labels);
    Hdf5Dataset(dir / "new.h5", "train", {.names = names}).each_truth({0, static_cast<std::int64_t>(labels.size())}, [](auto&&...) {});
  };
  open({"b", "a"}, {"dog"}, {0, 0, 255});  // 255 is no class: what refuses it knows the row's weight
  expect_error(
      [&] {
        open({"b", "e"}, {"dog"}, {0});
      },
      {"new.h5: expected the features of train.h5, which are a, b; found b, e; missing: a; unknown: e"});
  expect_error([&] { open({"b", "b"}, {"dog"}, {0}); }, {"new.h5", "two of its features are called 'b'"});
  expect_error(
      [&] {
        open({"a", "b"}, {"dog", "fox"}, {0});
      },
      {"new.h5: expected classes of train.h5, which are cat, dog; found dog, fox; unknown: fox"});
  expect_error([&] { open({"a", "b"}, {"dog"}, {0, 0, 1}); }, {"new.h5: data set '/train/y', row 2", "1 class_names"});
}

TEST(DataNames, OneFileAloneMayNameTwoClassesAlike) {
  TempDir dir;
  write(dir / "twice.h5", {"a"}, {"b", "b"}, {0, 1});
  expect_rows(Hdf5Dataset(dir / "twice.h5", "train"), {{9700, 0}, {9701, 1}});
}

}  // namespace
}  // namespace lockstep
