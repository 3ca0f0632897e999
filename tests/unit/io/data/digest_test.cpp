#include "io/data/digest.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>

#include "cluster/world.h"
#include "io/hdf5/dataset.h"
#include "support/rows_file.h"
#include "support/temp_dir.h"

namespace lockstep {
namespace {

using testing::change_row;
using testing::kRows;
using testing::TempDir;
using testing::write_rows;

/// Content of a data set as a process alone finds it.
std::string content(const Hdf5Dataset& data) {
  const World world;
  DataDigest digest(world, "the data", data);
  EXPECT_EQ(digest.copies(), 1);
  digest.start(false);
  digest.compare();
  return digest.text();
}

TEST(DataDigest, IsThatOfTheRowsWhateverTheFilesAreLike) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {});
  const std::string expected = content(Hdf5Dataset(dir / "a.h5", "train"));
  EXPECT_EQ(expected.find("101 rows, x uint8 (3, 5) "), 0U) << expected;
  write_rows(dir / "packed.h5", H5T_STD_U8BE, {"gzip", {7, 3, 2}, true});
  write_rows(dir / "part-1.h5", H5T_STD_U8LE, {"chunked", {16, 3, 5}}, 0, 40);
  write_rows(dir / "part-2.h5", H5T_STD_U8LE, {}, 40, kRows - 40);
  for (const std::int64_t budget : {0, 1 << 20}) {
    EXPECT_EQ(content(Hdf5Dataset(dir / "packed.h5", "train", {.memory_budget = budget})), expected);
    EXPECT_EQ(content(Hdf5Dataset(dir / "part-*.h5", "train", {.memory_budget = budget})), expected);
  }
  const std::string some = content(Hdf5Dataset(dir / "a.h5", "train", {.rows = {40, kRows}}));
  EXPECT_EQ(some, content(Hdf5Dataset(dir / "part-2.h5", "train")));
  EXPECT_NE(some.substr(some.find(',')), expected.substr(expected.find(',')));
  EXPECT_NE(content(Hdf5Dataset(dir / "a.h5", "train", {.rows = {0, kRows - 1}})),
            content(Hdf5Dataset(dir / "a.h5", "train", {.rows = {1, kRows}})));
  write_rows(dir / "wide.h5", H5T_STD_I16LE, {});
  EXPECT_NE(content(Hdf5Dataset(dir / "wide.h5", "train")), expected);
}

TEST(DataDigest, ChangesWithEveryArrayAndRow) {
  TempDir dir;
  write_rows(dir / "a.h5", H5T_STD_U8LE, {});
  std::vector<std::string> found = {content(Hdf5Dataset(dir / "a.h5", "train"))};
  for (const std::string array : {"/train/x", "/train/y", "/train/weight"}) {
    for (const std::int64_t row : {std::int64_t{0}, kRows / 2, kRows - 1}) {
      change_row(dir / "a.h5", array, row);
      found.push_back(content(Hdf5Dataset(dir / "a.h5", "train")));
      EXPECT_EQ(std::count(found.begin(), found.end(), found.back()), 1) << array << " row " << row;
    }
  }
}

}  // namespace
}  // namespace lockstep
