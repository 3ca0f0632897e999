#include <gtest/gtest.h>
#include <hdf5.h>
#include <png.h>

#include <array>
#include <cmath>
#include <limits>

#include "io/data/data_summary.h"
#include "io/import/picture.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;

TEST(ColumnStats, MatchClosedFormAcrossBlocks) {
  TempDir dir;
  constexpr std::int64_t kRows = 700'000;  // more than one block
  std::vector<double> values;
  for (std::int64_t i = 0; i < kRows; ++i) values.insert(values.end(), {static_cast<double>(i), i % 2 == 0 ? 1e9 - 1 : 1e9 + 1});
  values[2] = std::numeric_limits<double>::quiet_NaN();  // row 1 of column 0
  Hdf5File file = Hdf5File::create(dir / "s.h5");
  file.write<double>("/x", {kRows, 2}, values);
  const std::vector<ColumnStats> stats = column_stats(file, "/x");
  ASSERT_EQ(stats.size(), 2U);
  EXPECT_EQ(stats[0].min, 0);
  EXPECT_EQ(stats[0].max, kRows - 1);
  EXPECT_EQ(stats[0].missing, 1);
  EXPECT_EQ(stats[0].values, kRows - 1);
  const double n = kRows;
  EXPECT_NEAR(stats[0].mean, (n * (n - 1) / 2 - 1) / (n - 1), 1e-4);
  EXPECT_NEAR(stats[1].mean, 1e9, 1e-5);
  EXPECT_NEAR(stats[1].std, 1, 1e-6);  // population of +-1
  file.write<double>("/cube", {1, 1, 1}, std::array<double, 1>{});
  expect_error([&] { column_stats(file, "/cube"); }, {"s.h5", "/cube", "no table"});
}

TEST(LabelHistogram, CountsAndRefuses) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "l.h5");
  file.write<std::uint8_t>("/y", {5, 1}, std::array<std::uint8_t, 5>{3, 0, 3, 3, 1});
  file.write<float>("/f", {2}, std::array<float, 2>{1, 0});
  file.write<std::int64_t>("/bad", {2}, std::array<std::int64_t, 2>{1, -1});
  file.write<float>("/two", {1, 2}, std::array<float, 2>{1, 0});
  EXPECT_EQ(label_histogram(file, "/y"), (std::vector<std::int64_t>{1, 1, 0, 3}));
  EXPECT_EQ(label_histogram(file, "/f"), (std::vector<std::int64_t>{1, 1}));
  expect_error([&] { label_histogram(file, "/bad"); }, {"/bad", "row 1", "-1"});
  expect_error([&] { label_histogram(file, "/two"); }, {"/two"});
}

/// Chunks that are not in the file hold a fill value: a large data set in a small file.
void write_hollow(const std::string& path, const std::vector<hsize_t>& shape, const std::vector<hsize_t>& chunk) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), plist = H5Pcreate(H5P_DATASET_CREATE);
  const float zero = 0;
  H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data());
  H5Pset_fill_value(plist, H5T_NATIVE_FLOAT, &zero);
  H5Pset_deflate(plist, 1);
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
  H5Sclose(space);
  H5Pclose(plist);
  H5Fclose(file);
}

TEST(DataSummary, MemoryIsComparedWithWhatThereIsBeforeItIsTaken) {
  TempDir dir;
  write_hollow(dir / "wide.h5", {2, 40'000'000'000}, {1, 1 << 20});
  expect_error([&] { column_stats(Hdf5File::open(dir / "wide.h5"), "/x"); }, {"wide.h5", "'/x'", "GiB of memory; "});
  write_hollow(dir / "pictures.h5", {8, 1'000'000, 1'000'000}, {1, 1000, 1000});
  expect_error([&] { read_pictures(Hdf5File::open(dir / "pictures.h5"), "/x", 0, 8); },
               {"pictures.h5", "'/x'", "GiB of memory; ", "--rows"});
}

TEST(Picture, ReadsBytesAsTheyAreAndScalesTheRest) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "p.h5");
  file.write<std::uint8_t>("/b", {2, 2, 2}, std::array<std::uint8_t, 8>{0, 1, 2, 255, 4, 5, 6, 7});
  file.write<float>("/f", {1, 2, 2}, std::array<float, 4>{-1, 0, 1, std::numeric_limits<float>::quiet_NaN()});
  file.write<std::uint8_t>("/c", {1, 1, 2, 3}, std::array<std::uint8_t, 6>{0, 30, 60, 255, 255, 255});
  file.write<float>("/table", {2, 2}, std::array<float, 4>{});
  EXPECT_EQ(read_pictures(file, "/b", 1, 2).at(0).pixels, (std::vector<std::uint8_t>{4, 5, 6, 7}));
  EXPECT_EQ(read_pictures(file, "/f", 0, 1).at(0).pixels, (std::vector<std::uint8_t>{0, 128, 255, 0}));
  const Picture colour = read_pictures(file, "/c", 0, 1).at(0);
  EXPECT_EQ(colour.width, 2);
  EXPECT_EQ(colour.pixels, (std::vector<std::uint8_t>{30, 255}));
  expect_error([&] { read_pictures(file, "/table", 0, 1); }, {"/table", "no images"});
}

TEST(Picture, SheetAndTexts) {
  const Picture black{2, 2, {0, 0, 0, 0}}, white{2, 2, {255, 255, 255, 255}};
  const Picture sheet = contact_sheet({black, white, white}, 2, 1);
  EXPECT_EQ(sheet.width, 5);
  EXPECT_EQ(sheet.height, 5);
  EXPECT_EQ(std::vector<std::uint8_t>(sheet.pixels.begin(), sheet.pixels.begin() + 5), (std::vector<std::uint8_t>{0, 0, 128, 255, 255}));
  EXPECT_EQ(sheet.pixels[4 * 5], 255);
  EXPECT_EQ(sheet.pixels[4 * 5 + 4], 128);  // the empty place
  EXPECT_EQ(picture_text({3, 2, {0, 128, 255, 0, 128, 255}}, TextStyle::ascii), " +@\n");
  EXPECT_EQ(picture_text({3, 3, {0, 128, 255, 0, 128, 255, 0, 0, 0}}, TextStyle::shades), " \u2592\u2588\n   \n");
  EXPECT_EQ(picture_text({1, 2, {0, 255}}, TextStyle::half_blocks), "\033[38;5;232;48;5;255m\u2580\033[0m\n");
}

TEST(Picture, PngRoundTrip) {
  TempDir dir;
  const Picture picture{3, 2, {0, 50, 100, 150, 200, 255}};
  write_png(dir / "p.png", picture);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, (dir / "p.png").c_str()), 0);
  EXPECT_EQ(image.width, 3U);
  EXPECT_EQ(image.height, 2U);
  EXPECT_EQ(image.format, static_cast<png_uint_32>(PNG_FORMAT_GRAY));
  std::vector<std::uint8_t> pixels(6);
  ASSERT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0);
  EXPECT_EQ(pixels, picture.pixels);
  expect_error([&] { write_png(dir / "no/p.png", picture); }, {"no/p.png"});
}

}  // namespace
}  // namespace lockstep
