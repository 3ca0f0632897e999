#include <hdf5.h>

#include <array>
#include <filesystem>
#include <numeric>

#include "io/data/data_file.h"
#include "io/data/data_summary.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/dataset.h"
#include "support/fuzz_target.h"
#include "support/temp_dir.h"

namespace lockstep::testing {

namespace {

/// A small data set of any type of HDF5.
void write_array(Hdf5File& file, const char* name, hid_t type, hsize_t rows, const void* data) {
  const hid_t space = H5Screate_simple(1, &rows, nullptr);
  const hid_t set = H5Dcreate2(file.id(), name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  H5Dclose(set);
  H5Sclose(space);
}

/// What other programs write: strings, enumerations, a frame of pandas, packed variables of netCDF.
std::string foreign_seed(const TempDir& dir) {
  {
    Hdf5File file = Hdf5File::create(dir / "f.h5");
    for (const char* group : {"/train", "/fixed", "/named", "/df"}) file.create_group(group);
    const std::vector<float> x(12, 0.5F);
    for (const char* name : {"/train/x", "/fixed/x", "/named/x", "/df/block0_values"}) file.write<float>(name, {4, 3}, x);
    const hid_t text = H5Tcopy(H5T_C_S1), fixed = H5Tcopy(H5T_C_S1), named = H5Tenum_create(H5T_STD_I8LE);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_size(fixed, 4);
    const std::int8_t ten = 10, twenty = 20;
    H5Tenum_insert(named, "red", &ten);
    H5Tenum_insert(named, "blue", &twenty);
    const std::array<const char*, 4> words{"yes", "no", "yes", "no"};
    write_array(file, "/train/y", text, 4, words.data());
    write_array(file, "/fixed/y", fixed, 4, "yes\0no\0\0yes\0no\0");
    write_array(file, "/named/y", named, 4, std::array<std::int8_t, 4>{10, 20, 10, 10}.data());
    write_array(file, "/df/block0_items", fixed, 3, "a\0\0\0b\0\0\0y\0\0");
    write_string_attribute(file, "/df", "pandas_type", "frame");
    write_double_attribute(file, "/fixed/x", "scale_factor", 0.5);
    write_int_attribute(file, "/fixed/x", "_FillValue", 3);
    H5Tclose(text);
    H5Tclose(fixed);
    H5Tclose(named);
  }
  return read_file(dir / "f.h5");
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const TempDir dir;
  {
    Hdf5File file = Hdf5File::create(dir / "d.h5");
    const std::vector<float> x(24, 0.5F);
    file.write<float>("/train/x", {4, 6}, x);
    file.write<std::int64_t>("/train/y", {4}, std::array<std::int64_t, 4>{0, 1, 2, 1});
    file.write<float>("/train/weight", {4}, std::array<float, 4>{1, 1, 2, 1});
    file.write<std::uint8_t>("/test/x", {1, 2, 3}, std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, 6});
    write_names(file, {{"a", "b", "c"}, {"f", "g"}, {}, "a description", ""});
    write_int_attribute(file, "/train", "number", 7);
    write_double_attribute(file, "/", "share", 0.5);
    file.close();
  }
  return {read_file(dir / "d.h5"), foreign_seed(dir)};
}

namespace {

/// What `lockstep data show` and the opening of a training read.
void read_all(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  fuzz([&] { read_names(file); });
  for (const std::string& group : file.groups()) {
    fuzz([&] {
      for (const std::string& name : attribute_names(file, group)) {
        fuzz([&] { read_strings_attribute(file, group, name); });
        fuzz([&] { read_int_attribute(file, group, name); });
        fuzz([&] { read_double_attribute(file, group, name); });
      }
    });
  }
  for (const std::string& name : file.datasets()) {
    fuzz([&] {
      const ArrayInfo info = file.info(name);
      if (info.text && info.rows() < 1 << 16) return void(file.read_strings(name, 0, info.rows()));
      if (!info.shape.empty() && info.row_elements() == 1) label_histogram(file, name);
      if (info.shape.size() <= 2) column_stats(file, name);
    });
  }
}

void train_on(const std::string& path, const std::string& group, Hdf5Options options) {
  options.memory_budget = 1 << 20;
  const Hdf5Dataset data(path, group, options);
  const std::int64_t rows = std::min<std::int64_t>(data.rows(), 16), width = elements(data.sample_shape());
  if (width > 1 << 16 || data.truth_width() > 1 << 16) return;
  const auto reader = data.open({{0, rows}});
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  std::vector<float> x(static_cast<std::size_t>(rows * width)), y(static_cast<std::size_t>(rows * data.truth_width())),
      weight(order.size());
  reader->begin(order);
  reader->read(rows, {.features = x.data(), .truth = y.data(), .weight = weight.data()});
}

}  // namespace
}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep::testing;
  static const TempDir dir;
  write_file(dir / "d.h5", as_text(data, size));
  fuzz([] { read_all(dir / "d.h5"); });
  for (const char* group : {"fixed", "named", "df"}) fuzz([&] { train_on(dir / "d.h5", group, {}); });
  fuzz([] { train_on(dir / "d.h5", "train", {.truth = "", .transpose = true}); });
  fuzz([] { train_on(dir / "d.h5", "", {.variables = {"train/x", "/test/x"}, .truth = "train/y", .first_label = 1}); });
  return fuzz([] { train_on(dir / "d.h5", "train", {}); });
}
