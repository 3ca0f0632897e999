// Data sets compressed with a filter that this HDF5 does not have.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <string>
#include <vector>

#include "io/hdf5/dataset.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;

extern "C" std::size_t leave_as_it_is(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) { return bytes; }

/// 6 rows of x and y; chunks of `packed` go through a filter called lzy, which exists only here.
void write_rows(const std::string& path, const std::string& packed) {
  constexpr H5Z_filter_t kFilter = 511;
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kFilter, 1, 1, "lzy", nullptr, nullptr, leave_as_it_is};
  ASSERT_GE(H5Zregister(&filter), 0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const std::vector<hsize_t> shape{6, 1}, chunk{2, 1};
  const hid_t space = H5Screate_simple(2, shape.data(), nullptr);
  const std::vector<double> values(shape[0], 1);
  for (const std::string name : {"train/x", "train/y"}) {
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plist, 2, chunk.data());
    if (name == packed) H5Pset_filter(plist, kFilter, H5Z_FLAG_MANDATORY, 0, nullptr);
    const hid_t set = H5Dcreate2(file, name.c_str(), H5T_STD_I32LE, space, links, plist, H5P_DEFAULT);
    ASSERT_GE(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set);
    H5Pclose(plist);
  }
  H5Sclose(space);
  H5Pclose(links);
  H5Fclose(file);
  ASSERT_GE(H5Zunregister(kFilter), 0);
}

TEST(Filters, AMissingOneIsNamedWithTheWaysOutBeforeTraining) {
  TempDir dir;
  for (const std::string packed : {"train/x", "train/y"}) {
    write_rows(dir / "d.h5", packed);
    expect_error([&] { Hdf5Dataset(dir / "d.h5", "train", {}); },
                 {"d.h5", "/" + packed, "filter lzy", "HDF5_PLUGIN_PATH", "h5repack -f /" + packed + ":GZIP=1"});
  }
  write_rows(dir / "d.h5", "none");
  EXPECT_EQ(Hdf5Dataset(dir / "d.h5", "train", {}).rows(), 6);
}

}  // namespace
}  // namespace lockstep
