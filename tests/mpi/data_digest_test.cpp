// The content of a data set is found the same on any number of ranks, and copies that differ are told apart.
#include "io/data_digest.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/hdf5_file.h"
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

struct Found {
  std::string text;
  int copies = 0;
};

Found content(const std::string& path, const World& of) {
  DataDigest digest(of, "the training data", Hdf5Dataset(path, "train", {.rows = {2, kRows}}));
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
