#include "io/hdf5/dataset.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <random>
#include <thread>

#include "io/data/data_file.h"
#include "support/rows_file.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::change_row;
using testing::expect_error;
using testing::kHeight;
using testing::kPixels;
using testing::kRows;
using testing::kWidth;
using testing::label;
using testing::Layout;
using testing::pixel;
using testing::TempDir;
using testing::weight;
using testing::write_array;
using testing::write_file;
using testing::write_rows;

/// Reads the whole order in uneven calls and compares each row with the formula. `first`: row of the formula that is the data set's row 0.
void check_rows(RowReader& reader, const std::vector<std::int64_t>& order, std::int64_t first = 0, bool weights = true) {
  reader.begin(order);
  std::vector<float> x, y, w;
  std::size_t wrong = 0;
  std::int64_t count = 1;
  for (std::size_t at = 0; at < order.size(); at += static_cast<std::size_t>(count), count = count % 7 + 1) {
    count = std::min(count, static_cast<std::int64_t>(order.size() - at));
    const auto n = static_cast<std::size_t>(count);
    x.assign(n * kPixels, -1.F);
    y.assign(n, -1.F);
    w.assign(n, -1.F);
    reader.read(count, {x.data(), y.data(), w.data()});
    for (std::size_t i = 0; i < n; ++i) {
      const bool hole = order[at + i] < 0;
      const std::int64_t row = order[at + i] + first;
      for (std::int64_t p = 0; p < kPixels; ++p) wrong += x[i * kPixels + static_cast<std::size_t>(p)] != (hole ? 0.F : pixel(row, p));
      wrong += y[i] != (hole ? 0.F : label(row));
      wrong += w[i] != (hole ? 0.F : weights ? weight(row) : 1.F);
    }
  }
  EXPECT_EQ(wrong, 0U);
}

/// All rows of the ranges, shuffled, with holes, some of them twice.
std::vector<std::int64_t> shuffled(const std::vector<RowRange>& ranges) {
  std::vector<std::int64_t> order;
  for (const RowRange& range : ranges) {
    for (std::int64_t r = range.first; r < range.last; ++r) order.insert(order.end(), r % 9 == 0 ? 2 : 1, r);
  }
  order.insert(order.end(), order.size() / 5, -1);
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  return order;
}

hid_t half_big_endian() {
  const hid_t half = H5Tcopy(H5T_IEEE_F32BE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  return half;
}

class EveryLayout : public ::testing::TestWithParam<Layout> {};

TEST_P(EveryLayout, EveryTypeReadsTheSameInMemoryAndStreamed) {
  TempDir dir;
  const hid_t half = half_big_endian();
  const std::vector<std::pair<hid_t, std::string>> types{
      {H5T_STD_U8LE, "uint8"},   {H5T_STD_I8LE, "int8"},      {H5T_STD_U16BE, "uint16"},   {H5T_STD_I16LE, "int16"},
      {H5T_STD_U32LE, "uint32"}, {H5T_STD_I32BE, "int32"},    {H5T_STD_U64LE, "uint64"},   {H5T_STD_I64LE, "int64"},
      {half, "float16"},         {H5T_IEEE_F32LE, "float32"}, {H5T_IEEE_F64BE, "float64"}, {H5T_IEEE_F64LE, "float64"}};
  for (const auto& [type, name] : types) {
    SCOPED_TRACE(name);
    write_rows(dir / "a.h5", type, GetParam());
    const std::vector<RowRange> ranges{{0, 13}, {20, 20}, {40, 101}};
    const std::vector<std::int64_t> order = shuffled(ranges);
    for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{400}, std::int64_t{3000}, std::int64_t{1} << 30}) {
      SCOPED_TRACE(budget);
      const Hdf5Dataset data(dir / "a.h5", "train", {.memory_budget = budget});
      EXPECT_EQ(data.element_type(), name);
      EXPECT_EQ(data.rows(), kRows);
      EXPECT_EQ(data.sample_shape(), (Shape{3, 5}));
      EXPECT_EQ(data.truth_width(), 1);
      const std::unique_ptr<RowReader> reader = data.open(ranges);
      check_rows(*reader, order);
      check_rows(*reader, {100, -1, 0, 40, 12});  // the next epoch has another order
      check_rows(*reader, {});
    }
  }
  H5Tclose(half);
}

INSTANTIATE_TEST_SUITE_P(Hdf5Dataset, EveryLayout,
                         ::testing::Values(Layout{"contiguous", {}}, Layout{"compact", {}, false, true}, Layout{"row_chunks", {1, 3, 5}},
                                           Layout{"gzip", {7, 3, 5}, true}, Layout{"cut_rows", {16, 2, 4}, true},
                                           Layout{"one_chunk", {101, 3, 5}, true}, Layout{"user_block", {}, false, false, 512}),
                         [](const auto& param) { return param.param.name; });

TEST(Hdf5Dataset, RowsAreRescaledInMemoryAndStreamed) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, Layout{});
  for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{400}, std::int64_t{1} << 30}) {
    SCOPED_TRACE(budget);
    const Hdf5Dataset data(dir / "a.h5", "train", {.memory_budget = budget});
    const std::unique_ptr<RowReader> reader = data.open({{0, kRows}});
    const std::vector<std::int64_t> order{70, -1, 3};
    reader->begin(order);
    std::vector<float> x(3 * kPixels), y(3), w(3);
    reader->read(3, {x.data(), y.data(), w.data(), 0.5F, -2.F});
    for (std::int64_t p = 0; p < kPixels; ++p) {
      const auto at = static_cast<std::size_t>(p);
      EXPECT_EQ(x[at], pixel(70, p) * 0.5F - 2.F);
      EXPECT_EQ(x[at + kPixels], 0.F) << "a slot without a row";
      EXPECT_EQ(x[at + 2 * kPixels], pixel(3, p) * 0.5F - 2.F);
    }
    EXPECT_EQ(y[0], label(70));
  }
}

TEST(Hdf5Dataset, ExtremeValuesBecomeTheNearestFloat) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "e.h5");
  const std::vector<std::int64_t> wide{INT64_MAX, INT64_MIN, 16777217, -1};
  file.write<std::int64_t>("/x", {2, 2}, wide);
  const std::vector<std::uint16_t> halves{0x0001, 0x8000, 0x7BFF,
                                          0xFC00, 0x03FF, 0x3C01};  // smallest subnormal, -0, 65504, -inf, largest subnormal, 1 + 2^-10
  file.write_raw("/y", {2, 3}, ElementType::f16, std::as_bytes(std::span(halves)));
  file.close();
  for (const std::int64_t budget : {0, 1 << 20}) {
    const Hdf5Dataset data(dir / "e.h5", "", {.memory_budget = budget});
    EXPECT_EQ(data.truth_width(), 3);
    const auto reader = data.open({{0, 2}});
    const std::vector<std::int64_t> order{0, 1};
    reader->begin(order);
    std::vector<float> x(4), y(6), w(2);
    reader->read(2, {x.data(), y.data(), w.data()});
    EXPECT_EQ(x, (std::vector<float>{0x1p63F, -0x1p63F, 16777216.F, -1.F}));
    EXPECT_EQ(y, (std::vector<float>{0x1p-24F, -0.F, 65504.F, -std::numeric_limits<float>::infinity(), 0x1.FF8p-15F, 0x1.004p0F}));
    EXPECT_TRUE(std::signbit(y[1]));
    EXPECT_EQ(w, (std::vector<float>{1, 1}));
  }
}

TEST(Hdf5Dataset, RowsOfAFileAndWhatIsNotWanted) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {}, 0, kRows, false);
  const Hdf5Dataset data(dir / "a.h5", "/train/", {.rows = {55, 100}});
  EXPECT_EQ(data.rows(), 45);
  EXPECT_EQ(data.description(), (dir / "a.h5") + ": /train rows 55 to 100");
  EXPECT_EQ(Hdf5Dataset(dir / "a.h5", "train").description(), (dir / "a.h5") + ": /train");
  EXPECT_EQ(Hdf5Dataset(dir / "a.h5", "train", {.rows = {55, -1}}).rows(), 46);
  const auto reader = data.open({{0, 45}});
  check_rows(*reader, shuffled({{0, 45}}), 55, false);
  const std::vector<std::int64_t> order{0};
  reader->begin(order);
  float y = -1;
  reader->read(1, {nullptr, &y, nullptr});
  EXPECT_EQ(y, label(55));
  EXPECT_EQ(Hdf5Dataset(dir / "a.h5", "train", {.truth = ""}).truth_width(), 0);
}

TEST(Hdf5Dataset, FilesOfAPatternAreJoinedInTheOrderOfTheirNames) {
  TempDir dir;
  write_rows(dir / "part-2.h5", H5T_STD_U8LE, {"gzip", {4, 3, 5}, true}, 40, 11);
  write_rows(dir / "part-1.h5", H5T_STD_U8LE, {}, 0, 40);
  write_rows(dir / "part-3.h5", H5T_STD_U8LE, {}, 51, 50);
  for (const std::int64_t budget : {std::int64_t{500}, std::int64_t{1} << 30}) {
    const Hdf5Dataset data(dir / "part-*.h5", "train", {.memory_budget = budget});
    EXPECT_EQ(data.rows(), kRows);
    EXPECT_EQ(data.files().size(), 3U);
    const std::vector<RowRange> ranges{{3, 39}, {39, 60}, {90, 101}};
    check_rows(*data.open(ranges), shuffled(ranges));
  }
  write_rows(dir / "part-4.h5", H5T_STD_I16LE, {}, 0, 2);
  expect_error([&] { Hdf5Dataset(dir / "part-*.h5", "train"); }, {"part-4.h5", "/train/x", "part-1.h5", "uint8", "int16"});
  write_rows(dir / "part-4.h5", H5T_STD_U8LE, {}, 0, 2, false);
  expect_error([&] { Hdf5Dataset(dir / "part-*.h5", "train"); }, {"part-4.h5", "/train/weight"});
  expect_error([&] { Hdf5Dataset(dir / "none-*.h5", "train"); }, {"none-*.h5", "no file"});
}

TEST(Hdf5Dataset, FeaturesThatAreNotFiniteAreNamedInMemoryAndStreamed) {
  TempDir dir;
  const hid_t half = half_big_endian();
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const Layout& layout : {Layout{"contiguous", {}}, Layout{"gzip", {7, 3, 5}, true}}) {
    for (const auto& [type, value, text] : {std::tuple{half, nan, "nan"},
                                            {H5T_IEEE_F32LE, -infinity, "-inf"},
                                            {H5T_IEEE_F64LE, 1e300, "1e+300"},
                                            {H5T_IEEE_F64BE, nan, "nan"}}) {
      SCOPED_TRACE(layout.name + " " + text);
      for (const std::string part : {"1", "2"}) {
        const hid_t file = H5Fcreate((dir / ("part-" + part + ".h5")).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        std::vector<double> x(40 * kPixels, 1);
        if (part == "2") x[30 * kPixels + 7] = value;  // row 70 of both
        write_array(file, "x", type, {40, kHeight, kWidth}, x, layout);
        H5Fclose(file);
      }
      for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{1} << 30}) {
        const Hdf5Dataset data(dir / "part-*.h5", "", {.rows = {5, 80}, .truth = "", .memory_budget = budget});
        const auto all = [&](RowRange range) {
          const std::unique_ptr<RowReader> reader = RowSlice(data, {15, 75}).open({range});
          std::vector<std::int64_t> order(static_cast<std::size_t>(range.size()));
          std::iota(order.begin(), order.end(), range.first);
          std::vector<float> out(static_cast<std::size_t>(range.size() * kPixels));
          reader->begin(order);
          reader->read(range.size(), {out.data(), nullptr, nullptr});  // until it is asked to look
          reader->expect_finite();
          reader->begin(order);
          reader->read(range.size(), {out.data(), nullptr, nullptr});
        };
        EXPECT_NO_THROW(all({0, 50}));
        expect_error(
            [&] {
              all({3, 60});
            },
            {(dir / "part-2.h5") + ": data set '/x', row 30, column (1, 2) is " + text + ", which is not a finite float32"});
      }
    }
  }
  H5Tclose(half);
}

TEST(Hdf5Dataset, TruthIsVisitedWithoutFeatures) {
  TempDir dir;
  write_rows(dir / "part-1.h5", H5T_STD_U8LE, {}, 0, 40);
  write_rows(dir / "part-2.h5", H5T_STD_U8LE, {"gzip", {4, 3, 5}, true}, 40, 61);
  const Hdf5Dataset data(dir / "part-*.h5", "train", {.rows = {10, 90}});
  const auto visit = [&](const Dataset& rows, RowRange range, std::int64_t shift) {
    std::int64_t next = range.first;
    rows.each_truth(range, [&](std::int64_t first, std::span<const float> truth, std::span<const float> weights) {
      EXPECT_EQ(first, next);
      ASSERT_EQ(truth.size(), weights.size());
      for (std::size_t i = 0; i < truth.size(); ++i, ++next) {
        EXPECT_EQ(truth[i], label(next + shift));
        EXPECT_EQ(weights[i], weight(next + shift));
      }
    });
    EXPECT_EQ(next, range.last);
  };
  visit(data, {0, 80}, 10);
  visit(data, {25, 33}, 10);
  visit(data, {7, 7}, 10);
  visit(RowSlice(data, {20, 50}), {5, 30}, 30);
  EXPECT_EQ(data.where(29, RowPart::truth), (dir / "part-1.h5") + ": data set '/train/y', row 39");
  EXPECT_EQ(RowSlice(data, {20, 50}).where(10, RowPart::weight), (dir / "part-2.h5") + ": data set '/train/weight', row 0");
}

TEST(Hdf5Dataset, ClassNamesAreThoseOfTheFile) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "n.h5");
  file.write<std::uint8_t>("/test/x", {2, 1}, std::vector<std::uint8_t>{1, 2});
  file.write<std::uint8_t>("/test/y", {2, 1}, std::vector<std::uint8_t>{0, 1});
  write_names(file, {{"Bag", "Shirt"}, {}, {}, "", ""});
  file.close();
  const Hdf5Dataset data(dir / "n.h5", "test");
  EXPECT_EQ(data.class_names(), (std::vector<std::string>{"Bag", "Shirt"}));
  EXPECT_EQ(data.truth_width(), 1);
}

TEST(Hdf5Dataset, WhatDoesNotFitIsAnErrorThatSaysSo) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "b.h5");
  const std::vector<float> six(6, 1.F);
  file.write<float>("/train/x", {3, 2}, six);
  file.write<float>("/train/y", {2}, std::span(six).first(2));
  file.write<float>("/train/deep", {3, 2, 1}, six);
  file.write<float>("/train/heavy", {3, 2}, six);
  file.write<float>("/flat/x", {6}, six);
  file.write<float>("/none/x", {0, 2}, {});
  file.write<float>("/none/y", {0}, {});
  file.write<float>("/thin/x", {3, 0}, {});
  file.close();
  const hid_t raw = H5Fopen((dir / "b.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(2, std::vector<hsize_t>{3, 2}.data(), nullptr);
  H5Dclose(H5Dcreate2(raw, "train/text", H5T_C_S1, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Fclose(raw);
  const auto open = [&](const std::string& group, const Hdf5Options& options) { Hdf5Dataset data(dir / "b.h5", group, options); };
  expect_error([&] { open("valid", {}); }, {"b.h5", "'/valid'", "/train/x"});
  expect_error([&] { open("train", {.features = "images"}); }, {"b.h5", "'/train/images'", "the file has", "/train/x"});
  expect_error([&] { open("train", {}); }, {"b.h5", "/train/y", "3 rows", "found 2"});
  expect_error([&] { open("train", {.truth = "deep"}); }, {"/train/deep", "(rows, k)", "(3, 2, 1)"});
  expect_error([&] { open("train", {.truth = "", .weight = "absent"}); }, {"/train/absent"});
  expect_error([&] { open("train", {.truth = "", .weight = "heavy"}); }, {"/train/heavy", "one weight per row", "(3, 2)"});
  expect_error([&] { open("train", {.features = "text"}); }, {"/train/text", "float32"});
  expect_error([&] { open("train", {.rows = {2, 4}, .truth = ""}); }, {"b.h5", "0 to 3", "2 to 4"});
  expect_error([&] { open("train", {.rows = {2, 2}, .truth = ""}); }, {"b.h5", "2 to 2"});
  expect_error([&] { open("flat", {.truth = ""}); }, {"/flat/x", "(rows, ...)", "(6)"});
  expect_error([&] { open("none", {}); }, {"/none/x", "no rows"});
  expect_error([&] { open("thin", {.truth = ""}); }, {"/thin/x", "(3, 0)"});
  const Hdf5Dataset data(dir / "b.h5", "train", {.truth = ""});
  expect_error([&] { data.open({{0, 4}}); }, {"0 to 4", "3 rows"});
  expect_error([&] { data.open({{1, 2}, {0, 1}}); }, {"0 to 1", "sorted"});
  for (const std::int64_t budget : {0, 1 << 20}) {
    const auto reader = Hdf5Dataset(dir / "b.h5", "train", {.truth = "", .memory_budget = budget}).open({{1, 3}});
    const std::vector<std::int64_t> outside{0}, order{2, 1};
    expect_error([&] { reader->begin(outside); }, {"row 0"});
    reader->begin(order);
    std::vector<float> x(6);
    expect_error([&] { reader->read(3, {x.data(), nullptr, nullptr}); }, {"3 rows", "2 left"});
  }
}

TEST(Hdf5Dataset, AFileThatWasCutShortIsAnError) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {});
  const Hdf5Dataset streamed(dir / "a.h5", "train", {.memory_budget = 200}), kept(dir / "a.h5", "train");
  const auto reader = streamed.open({{0, kRows}});
  std::filesystem::resize_file(dir / "a.h5", 3000);
  expect_error([&] { kept.open({{0, kRows}}); }, {"a.h5", "has changed", "now has 3000 bytes"});
  std::vector<std::int64_t> order(kRows);
  std::iota(order.begin(), order.end(), 0);
  std::vector<float> x(kRows * kPixels);
  reader->begin(order);  // the thread meets the other file; read() says so, again and again
  expect_error([&] { reader->read(kRows, {x.data(), nullptr, nullptr}); }, {"a.h5", "has changed", "now has 3000 bytes"});
  expect_error([&] { reader->read(1, {x.data(), nullptr, nullptr}); }, {"a.h5"});
  expect_error([&] { Hdf5Dataset(dir / "a.h5", "train"); }, {"a.h5"});
  std::filesystem::remove(dir / "a.h5");
  expect_error([&] { kept.open({{0, 1}}); }, {"a.h5", "No such file"});
}

TEST(Hdf5Dataset, AFileThatIsWrittenToWhileItStreamsIsAnError) {
  TempDir dir;
  std::vector<std::int64_t> order(kRows);
  std::iota(order.begin(), order.end(), 0);
  std::vector<float> x(kRows * kPixels);
  for (const bool disguised : {false, true}) {
    write_rows(dir / "part-1.h5", H5T_STD_U8LE, {}, 0, 50);
    write_rows(dir / "part-2.h5", H5T_STD_U8LE, {}, 50, kRows - 50);
    const auto reader = Hdf5Dataset(dir / "part-*.h5", "train", {.memory_budget = 300}).open({{0, kRows}});
    check_rows(*reader, order);
    check_rows(*reader, std::vector<std::int64_t>(order.begin() + 7, order.end()));  // other rows are another matter
    std::shuffle(order.begin(), order.end(), std::mt19937(7));
    check_rows(*reader, order);
    const auto written = std::filesystem::last_write_time(dir / "part-2.h5");
    change_row(dir / "part-2.h5", "/train/y", 20);
    if (disguised) std::filesystem::last_write_time(dir / "part-2.h5", written);
    std::shuffle(order.begin(), order.end(), std::mt19937(8));
    reader->begin(order);
    expect_error(
        [&] {
          reader->read(kRows, {x.data(), nullptr, nullptr});
        },
        {"part-2.h5: ", disguised ? "in the epoch before" : "has changed since it was opened"});
  }
}

TEST(Hdf5Dataset, AnotherFileOfTheSameNameIsNotReadOn) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {});
  write_rows(dir / "b.h5", H5T_STD_U8LE, {});
  const auto written = std::filesystem::last_write_time(dir / "a.h5");
  std::filesystem::last_write_time(dir / "b.h5", written + std::chrono::seconds(1));
  const Hdf5Dataset data(dir / "a.h5", "train"), streamed(dir / "a.h5", "train", {.memory_budget = 300});
  const auto reader = streamed.open({{0, kRows}});
  std::vector<std::int64_t> order(kRows);
  std::iota(order.begin(), order.end(), 0);
  check_rows(*reader, order);
  std::filesystem::rename(dir / "b.h5", dir / "a.h5");
  expect_error([&] { data.open({{0, kRows}}); }, {"a.h5", "has changed since it was opened"});
  check_rows(*reader, order);  // it has the old one open, which has not changed
  std::filesystem::last_write_time(dir / "a.h5", written);
  data.open({{0, kRows}});  // another inode alone is no difference: some file systems number a file anew at each open
}

TEST(Hdf5Dataset, AReaderMayEndAnywhereAndSeveralWorkAtOnce) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {"gzip", {7, 3, 5}, true});
  const Hdf5Dataset data(dir / "a.h5", "train", {.memory_budget = 300});
  const std::vector<std::int64_t> order = shuffled({{0, kRows}});
  std::vector<float> x(kRows * kPixels);
  for (std::int64_t count = 0; count < 40; ++count) {
    const auto reader = data.open({{0, kRows}});
    reader->begin(order);
    reader->read(count, {x.data(), nullptr, nullptr});
    if (count % 2 == 0) check_rows(*reader, order);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { check_rows(*data.open({{0, kRows}}), order); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lockstep
