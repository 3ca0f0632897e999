// Data sets of which the storage of some rows was never written.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <memory>
#include <string>
#include <vector>

#include "io/data/data_summary.h"
#include "io/hdf5/dataset.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;

/// How a data set comes to have rows that nobody wrote.
struct Gaps {
  std::string name;
  std::vector<hsize_t> chunk;  // of (300, 4); empty: contiguous
  std::vector<hsize_t> most = {300, 4};
  bool latest = false, packed = false;
  H5D_fill_time_t fill_time = H5D_FILL_TIME_NEVER;
};

constexpr hsize_t kGapRows = 300, kGapWidth = 4;

/// /train/x of which the writer has only come to these rows; y is whole.
void write_gaps(const std::string& path, const Gaps& gaps, const std::vector<RowRange>& written, const float* fill = nullptr) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (gaps.latest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  if (!gaps.chunk.empty()) H5Pset_chunk(plist, 2, gaps.chunk.data());
  if (gaps.packed) H5Pset_deflate(plist, 1);
  H5Pset_fill_time(plist, gaps.fill_time);
  if (fill != nullptr) H5Pset_fill_value(plist, H5T_NATIVE_FLOAT, fill);
  const std::vector<hsize_t> dims{kGapRows, kGapWidth};
  const hid_t space = H5Screate_simple(2, dims.data(), gaps.chunk.empty() ? nullptr : gaps.most.data());
  const hid_t set = H5Dcreate2(file, "train/x", H5T_IEEE_F32LE, space, links, plist, H5P_DEFAULT);
  for (const RowRange& range : written) {
    const std::vector<hsize_t> start{static_cast<hsize_t>(range.first), 0}, count{static_cast<hsize_t>(range.size()), kGapWidth};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const hid_t memory = H5Screate_simple(2, count.data(), nullptr);
    const std::vector<float> ones(count[0] * count[1], 1.F);
    ASSERT_GE(H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, ones.data()), 0);
    H5Sclose(memory);
  }
  const std::vector<double> labels(kGapRows, 1);
  const hid_t rows = H5Screate_simple(1, dims.data(), nullptr);
  const hid_t truth = H5Dcreate2(file, "train/y", H5T_STD_I32LE, rows, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(truth, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()), 0);
  for (const hid_t id : {plist, links}) H5Pclose(id);
  for (const hid_t id : {space, rows}) H5Sclose(id);
  for (const hid_t id : {set, truth}) H5Dclose(id);
  H5Fclose(file);
  H5Pclose(access);
}

class EveryStorage : public ::testing::TestWithParam<Gaps> {};

TEST_P(EveryStorage, RowsThatWereNeverWrittenAreRefused) {
  TempDir dir;
  const std::string path = dir / "g.h5";
  const bool contiguous = GetParam().chunk.empty();
  write_gaps(path, GetParam(), {});
  expect_error([&] { Hdf5Dataset(path, "train"); },
               {path, "only 0 of 4800 bytes of /train/x were ever written (rows 0 to 299 are missing)"});
  expect_error([&] { column_stats(Hdf5File::open(path), "/train/x"); }, {path, "only 0 of 4800 bytes of /train/x"});
  expect_error([&] { label_histogram(Hdf5File::open(path), "/train/x"); }, {path, "/train/x"});
  write_gaps(path, GetParam(), {{0, 300}});
  EXPECT_NO_THROW(Hdf5Dataset(path, "train"));
  if (contiguous) return;
  write_gaps(path, GetParam(), {{0, 100}});
  expect_error([&] { Hdf5Dataset(path, "train"); },
               {"only 1600 of 4800 bytes of /train/x were ever written (rows 100 to 299 are missing)"});
  expect_error(
      [&] {
        Hdf5Dataset(path, "train", {.rows = {60, 110}});
      },
      {"only 640 of 800 bytes of /train/x were ever written (rows 100 to 109 are missing)"});
  EXPECT_NO_THROW(Hdf5Dataset(path, "train", {.rows = {0, 100}}));
  write_gaps(path, GetParam(), {{0, 50}, {100, 150}, {200, 300}});
  expect_error([&] { Hdf5Dataset(path, "train"); },
               {"only 3200 of 4800 bytes of /train/x were ever written (rows 50 to 99 are missing, and others)"});
  const float seven = 7;
  Gaps chosen = GetParam();
  chosen.fill_time = H5D_FILL_TIME_IFSET;
  write_gaps(path, chosen, {{0, 100}}, &seven);
  const Hdf5Dataset data(path, "train");  // rows that are 7 because their writer says so
  const std::unique_ptr<RowReader> reader = data.open({{0, 300}});
  const std::vector<std::int64_t> order{99, 100, 299};
  reader->begin(order);
  std::vector<float> x(3 * kGapWidth);
  reader->read(3, {x.data(), nullptr, nullptr});
  EXPECT_EQ(x, (std::vector<float>{1, 1, 1, 1, 7, 7, 7, 7, 7, 7, 7, 7}));
}

INSTANTIATE_TEST_SUITE_P(Hdf5Written, EveryStorage,
                         ::testing::Values(Gaps{"contiguous", {}}, Gaps{"btree1", {50, 4}}, Gaps{"cut", {10, 3}},
                                           Gaps{"packed", {25, 2}, {300, 4}, false, true},
                                           Gaps{"default_fill", {50, 4}, {300, 4}, false, false, H5D_FILL_TIME_IFSET},
                                           Gaps{"fixed_array", {50, 4}, {300, 4}, true},
                                           Gaps{"extensible_array", {50, 4}, {H5S_UNLIMITED, 4}, true},
                                           Gaps{"btree2", {50, 2}, {H5S_UNLIMITED, H5S_UNLIMITED}, true, true}),
                         [](const auto& param) { return param.param.name; });

TEST(Hdf5Written, AHugeDataSetWithoutStorageIsRefusedAtOnce) {
  TempDir dir;
  const hid_t file = H5Fcreate((dir / "h.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), plist = H5Pcreate(H5P_DATASET_CREATE);
  const std::vector<hsize_t> dims{hsize_t{1} << 40, 4}, chunk{1, 2};
  H5Pset_chunk(plist, 2, chunk.data());
  const hid_t space = H5Screate_simple(2, dims.data(), nullptr);
  H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
  H5Sclose(space);
  H5Pclose(plist);
  H5Fclose(file);
  expect_error([&] { Hdf5Dataset(dir / "h.h5", "", {.truth = ""}); },
               {"not all of the 17592186044416 bytes of /x were ever written (row 0 is the first that is missing)"});
}

}  // namespace
}  // namespace lockstep
