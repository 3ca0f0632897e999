// The content of a data set is found the same on any number of ranks, and copies that differ are told apart.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/data/digest.h"
#include "io/hdf5/file.h"
#include "support/mpi_world.h"
#include "support/temp_dir.h"

namespace lockstep {
namespace {

using test::world;

constexpr std::int64_t kRows = 1003, kWidth = 7;

void write_data(const std::string& path, std::int64_t odd_row = -1) {
  std::vector<float> x;
  std::vector<std::uint8_t> y;
  for (std::int64_t i = 0; i < kRows * kWidth; ++i) x.push_back(static_cast<float>(i % 97));
  for (std::int64_t row = 0; row < kRows; ++row) y.push_back(static_cast<std::uint8_t>(row == odd_row ? 9 : row % 5));
  Hdf5File file = Hdf5File::create(path);
  file.write<float>("/train/x", {kRows, kWidth}, x);
  file.write<std::uint8_t>("/train/y", {kRows}, y);
}

/// One gzip chunk of all rows for the array, as h5repack makes it.
void in_one_chunk(const std::string& from, const std::string& to, const std::string& array, const std::string& chunk) {
  const std::string command = "h5repack -l " + array + ":CHUNK=" + chunk + " -f " + array + ":GZIP=1 '" + from + "' '" + to + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(cert-env33-c): package hdf5-tools, as other tests use it
}

/// The bytes that this process has asked files for.
std::int64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::int64_t value = 0;
  while (io >> key >> value && key != "rchar:") {
  }
  return value;
}

struct Found {
  std::string text;
  int copies = 0;
};

Found content(const std::string& path, const World& of) {
  DataDigest digest(of, "the training data", Hdf5Dataset(path, "train", {.rows = {2, -1}}));
  digest.start(true);
  digest.compare();
  return {digest.text(), digest.copies()};
}

TEST(DataDigest, IsTheSameOnAnyRanksThatShareAFileOrHaveCopies) {
  const testing::TempDir own;
  write_data(own / "a.h5");
  const std::string alone = content(own / "a.h5", World()).text, shared = world().broadcast(own / "a.h5");
  const Found copies = content(own / "a.h5", world()), one = content(shared, world());
  EXPECT_EQ(copies.copies, world().size());
  EXPECT_EQ(copies.text, alone);
  EXPECT_EQ(one.copies, 1);
  EXPECT_EQ(one.text, alone);
  world().barrier();  // before the directory goes
}

TEST(DataDigest, IsTheSameHoweverTheArraysAreChunked) {
  const testing::TempDir own;
  write_data(own / "a.h5");
  in_one_chunk(own / "a.h5", own / "y.h5", "/train/y", std::to_string(kRows));
  in_one_chunk(own / "a.h5", own / "x.h5", "/train/x", std::to_string(kRows) + "x3");  // cut along the columns as well
  in_one_chunk(own / "y.h5", own / "both.h5", "/train/x", "64x7");
  const std::string text = content(own / "a.h5", World()).text;
  for (const char* name : {"y.h5", "x.h5", "both.h5"}) {
    EXPECT_EQ(content(own / name, World()).text, text) << name;
    EXPECT_EQ(content(world().broadcast(own / name), world()).text, text) << name;
  }
  world().barrier();  // before the directory goes
}

// A chunk of y that does not fit HDF5's cache is read from the file and decoded with each call that needs it.
// Opening reads it once as well, to try its filters.
TEST(DataDigest, ReadsAChunkOfYOnceThoughItSpansManyBlocksOfX) {
  const testing::TempDir own;
  constexpr std::int64_t rows = 400'000;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(rows * 50));
  std::vector<double> y;
  for (std::int64_t row = 0; row < rows; ++row) y.push_back(static_cast<double>(row * row % 1'000'003) / 7);
  {
    Hdf5File file = Hdf5File::create(own / "a.h5");
    file.write<std::uint8_t>("/train/x", {rows, 50}, x);
    file.write<double>("/train/y", {rows}, y);
  }
  in_one_chunk(own / "a.h5", own / "y.h5", "/train/y", std::to_string(rows));
  const auto chunk = static_cast<std::int64_t>(std::filesystem::file_size(own / "y.h5")) - static_cast<std::int64_t>(x.size());
  const std::int64_t before = bytes_read();
  content(own / "y.h5", World());
  EXPECT_LT(bytes_read() - before, static_cast<std::int64_t>(x.size()) + chunk * 5 / 2);
}

TEST(DataDigest, ACopyThatDiffersInOneLabelIsAnErrorOfAllRanks) {
  const testing::TempDir own;
  const int odd = world().size() - 1;
  write_data(own / "a.h5", world().rank() == odd ? kRows / 2 : -1);
  if (odd == 0) return;
  try {
    content(own / "a.h5", world());
    FAIL() << "no error";
  } catch (const AgreedError& error) {
    EXPECT_EQ(error.failing_rank(), odd);
    const std::string what = error.what();
    EXPECT_EQ(what.find("the training data differs: "), 0U) << what;
    EXPECT_NE(what.find("a.h5"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace lockstep
