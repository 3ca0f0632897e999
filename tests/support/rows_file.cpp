#include "support/rows_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <fstream>

#include "io/hdf5/file.h"

namespace lockstep::testing {

void write_array(std::int64_t file, const std::string& name, std::int64_t stored, const std::vector<unsigned long long>& dims,
                 const std::vector<double>& values, const Layout& layout) {
  const std::vector<hsize_t> sizes(dims.begin(), dims.end()), chunk(layout.chunk.begin(), layout.chunk.end());
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  if (layout.compact) H5Pset_layout(plist, H5D_COMPACT);
  if (!chunk.empty()) H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data());
  if (layout.packed) {
    H5Pset_shuffle(plist);
    H5Pset_deflate(plist, 4);
  }
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t space = H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
  const hid_t set = H5Dcreate2(file, name.c_str(), stored, space, links, plist, H5P_DEFAULT);
  ASSERT_GE(set, 0) << name;
  ASSERT_GE(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(links);
  H5Pclose(plist);
}

void write_rows(const std::string& path, std::int64_t stored, const Layout& layout, std::int64_t first, std::int64_t rows, bool weights) {
  std::vector<double> x, y, w;
  for (std::int64_t r = first; r < first + rows; ++r) {
    for (std::int64_t i = 0; i < kPixels; ++i) x.push_back(static_cast<double>(pixel(r, i)));
    y.push_back(static_cast<double>(label(r)));
    w.push_back(static_cast<double>(weight(r)));
  }
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_userblock(creation, layout.user_block);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT);
  Layout flat = layout;
  flat.chunk.resize(std::min<std::size_t>(1, layout.chunk.size()));
  const auto count = static_cast<hsize_t>(rows);
  write_array(file, "train/x", stored, {count, kHeight, kWidth}, x, layout);
  write_array(file, "train/y", H5T_STD_I64LE, {count}, y, flat);
  if (weights) write_array(file, "train/weight", H5T_IEEE_F32BE, {count}, w, flat);
  H5Fclose(file);
  H5Pclose(creation);
}

void change_row(const std::string& path, const std::string& array, std::int64_t row) {
  const ArrayInfo info = Hdf5File::open(path).info(array);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(info.file_offset + (row + 1) * info.row_bytes() - 1);
  const int byte = file.get();
  file.seekp(info.file_offset + (row + 1) * info.row_bytes() - 1);
  file.put(static_cast<char>(byte + 1));
}

}  // namespace lockstep::testing
