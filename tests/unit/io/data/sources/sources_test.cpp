// HDF5 files of other programs: labels that are no numbers, axes in reverse, several variables, pandas and netCDF-4.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <cmath>
#include <numeric>

#include "io/data/data_file.h"
#include "io/data/lost_values.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/dataset.h"
#include "io/import/hdf5.h"
#include "support/rows_file.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::write_array;
using Names = std::vector<std::string>;
using Floats = std::vector<float>;

/// A file that HDF5 has open for writing.
class Writer {
 public:
  explicit Writer(const std::string& path) : file_(Hdf5File::create(path)) {}

  void numbers(const std::string& name, hid_t stored, const std::vector<unsigned long long>& dims, const std::vector<double>& values,
               const testing::Layout& layout = {}) {
    write_array(file_.id(), name, stored, dims, values, layout);
  }

  void texts(const std::string& name, const Names& values, bool fixed, bool packed = false) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, fixed ? 4 : H5T_VARIABLE);
    std::string bytes;
    std::vector<const char*> pointers;
    for (const std::string& value : values) {
      bytes += value + std::string(4 - std::min<std::size_t>(value.size(), 4), '\0');
      pointers.push_back(value.c_str());
    }
    array(name, type, {values.size()}, fixed ? static_cast<const void*>(bytes.data()) : pointers.data(), packed);
    H5Tclose(type);
  }

  void members(const std::string& name, const std::vector<std::pair<const char*, std::int8_t>>& members,
               const std::vector<std::int8_t>& values) {
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    for (const auto& [member, value] : members) H5Tenum_insert(type, member, &value);
    array(name, type, {values.size()}, values.data(), false);
    H5Tclose(type);
  }

  void bits(const std::string& name, const std::vector<std::uint8_t>& values) {
    array(name, H5T_STD_B8LE, {values.size()}, values.data(), false);
  }

  Hdf5File& file() { return file_; }

 private:
  void array(const std::string& name, hid_t type, const std::vector<hsize_t>& dims, const void* data, bool packed) {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), links = H5Pcreate(H5P_LINK_CREATE),
                plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hsize_t chunk = 3;
    if (packed) H5Pset_chunk(plist, 1, &chunk);
    if (packed) H5Pset_deflate(plist, 4);
    const hid_t set = H5Dcreate2(file_.id(), name.c_str(), type, space, links, plist, H5P_DEFAULT);
    ASSERT_GE(set, 0);
    ASSERT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(set);
    H5Pclose(plist);
    H5Pclose(links);
    H5Sclose(space);
  }
  Hdf5File file_;
};

testing::Layout packed(std::vector<unsigned long long> chunk) {
  testing::Layout layout;
  layout.chunk = std::move(chunk);
  layout.packed = true;
  return layout;
}

struct Rows {
  Floats x, y;
};

Rows all_rows(const Hdf5Dataset& data) {
  const auto rows = static_cast<std::size_t>(data.rows());
  const auto reader = data.open({{0, data.rows()}});
  std::vector<std::int64_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  Rows result{Floats(rows * static_cast<std::size_t>(elements(data.sample_shape()))),
              Floats(rows * static_cast<std::size_t>(data.truth_width()))};
  reader->begin(order);
  reader->read(data.rows(), {result.x.data(), result.y.data(), nullptr});
  return result;
}

class Sources : public ::testing::Test {
 protected:
  std::string path(const std::string& name = "d.h5") { return dir_ / name; }
  testing::TempDir dir_;
};

TEST_F(Sources, StringsAreClasses) {
  for (const bool fixed : {false, true}) {
    for (const bool packed : {false, true}) {
      {
        Writer writer(path());
        writer.numbers("/train/x", H5T_IEEE_F32LE, {4, 1}, {0, 1, 2, 3});
        writer.texts("/train/y", {"yes", "no", "yes", "also"}, fixed, packed);
      }
      const Hdf5Dataset data(path(), "train");
      EXPECT_EQ(data.class_names(), (Names{"also", "no", "yes"}));
      EXPECT_EQ(all_rows(data).y, (Floats{2, 1, 2, 0}));
      const Hdf5Dataset streamed(path(), "train", {.memory_budget = 16});
      EXPECT_EQ(all_rows(streamed).y, (Floats{2, 1, 2, 0}));
      const Hdf5Dataset model(path(), "train", {.names = {{"no", "yes", "also", "other"}, {}, {}, "", "model"}});
      EXPECT_EQ(all_rows(model).y, (Floats{1, 0, 1, 2}));
      expect_error([&] { Hdf5Dataset(path(), "train", {.names = {{"no", "yes"}, {}, {}, "", "model"}}); }, {"unknown: also", "model"});
    }
  }
}

TEST_F(Sources, ManyStringsAndThoseOfAListOfClasses) {
  Names words;
  std::vector<double> numbers;
  for (int i = 0; i < 70'000; ++i) {
    words.push_back("c" + std::to_string(i % 7));
    numbers.push_back(i);
  }
  {
    Writer writer(path());
    writer.numbers("/x", H5T_IEEE_F32LE, {70'000, 1}, numbers);
    writer.texts("/y", words, false);
  }
  const Rows rows = all_rows(Hdf5Dataset(path(), ""));
  EXPECT_EQ(rows.y[69'999], static_cast<float>(69'999 % 7));
  {
    Writer writer(path());
    writer.numbers("/x", H5T_IEEE_F32LE, {2, 1}, {0, 1});
    writer.texts("/y", {"low", "high"}, true);
    writer.texts("/odd", {"low", "mid"}, true);
    writer.texts("/hole", {"low", ""}, true);
    write_names(writer.file(), {{"low", "high"}, {}, {}, "", ""});
  }
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "")).y, (Floats{0, 1}));
  expect_error([&] { all_rows(Hdf5Dataset(path(), "", {.truth = "odd"})); }, {"'/odd', row 1", "'mid'", "high, low"});
  expect_error([&] { Hdf5Dataset(path(), "", {.features = "y"}); }, {"'/y'", "strings", "labels"});
}

TEST_F(Sources, MembersOfAnEnumerationAreClasses) {
  {
    Writer writer(path());
    writer.numbers("/x", H5T_IEEE_F32LE, {3, 1}, {0, 1, 2});
    writer.members("/y", {{"green", 20}, {"red", 10}}, {20, 10, 20});
    writer.members("/truth", {{"FALSE", 0}, {"TRUE", 1}}, {1, 0, 1});
    writer.members("/odd", {{"green", 20}, {"red", 10}}, {20, 10, 11});
    writer.bits("/bits", {1, 0, 1});
  }
  const Hdf5Dataset colours(path(), "");
  EXPECT_EQ(colours.class_names(), (Names{"red", "green"}));
  EXPECT_EQ(all_rows(colours).y, (Floats{1, 0, 1}));
  const Hdf5Dataset booleans(path(), "", {.truth = "truth"});
  EXPECT_EQ(booleans.class_names(), (Names{"False", "True"}));
  EXPECT_EQ(all_rows(booleans).y, (Floats{1, 0, 1}));
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "", {.truth = "bits"})).y, (Floats{1, 0, 1}));
  expect_error([&] { all_rows(Hdf5Dataset(path(), "", {.truth = "odd"})); }, {"'/odd', row 2", "11", "10, 20"});
  std::vector<std::int64_t> bits(3);
  Hdf5File::open(path()).read_rows<std::int64_t>("/bits", 0, 3, bits);
  EXPECT_EQ(bits, (std::vector<std::int64_t>{1, 0, 1}));
}

TEST_F(Sources, MembersOfAnEnumerationBesideClassNames) {
  const auto labels = [&](const Names& class_names, const char* truth) {
    {
      Writer writer(path());
      writer.numbers("/x", H5T_IEEE_F32LE, {3, 1}, {0, 1, 2});
      writer.members("/y", {{"green", 0}, {"red", 1}}, {1, 0, 1});
      writer.members("/truth", {{"FALSE", 0}, {"TRUE", 1}}, {1, 0, 1});
      write_names(writer.file(), {class_names, {}, {}, "", ""});
    }
    return all_rows(Hdf5Dataset(path(), "", {.truth = truth})).y;
  };
  EXPECT_EQ(labels({"red", "green"}, "y"), (Floats{0, 1, 0})) << "a member's name says what it is, not its value";
  EXPECT_EQ(labels({"red", "green"}, "truth"), (Floats{1, 0, 1})) << "names of something else";
  expect_error([&] { labels({"blue", "red"}, "y"); }, {"/y", "green, red", "blue, red"});
}

TEST_F(Sources, LabelsMayBeginWithOne) {
  {
    Writer writer(path());
    writer.numbers("/x", H5T_IEEE_F32LE, {3, 1}, {0, 1, 2});
    writer.numbers("/y", H5T_STD_U8LE, {3}, {1, 26, 3});
    writer.numbers("/doubles", H5T_IEEE_F64LE, {3, 1}, {1, 2, 3});
    write_names(writer.file(), {{"a", "b", "c"}, {}, {}, "", ""});
  }
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "", {.truth = "doubles", .first_label = 1})).y, (Floats{0, 1, 2}));
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "", {.first_label = 1})).y, (Floats{0, 25, 2}));
  expect_error([&] { all_rows(Hdf5Dataset(path(), "", {.first_label = 2})); }, {"'/y', row 0", "less than data.first_label, 2"});
}

TEST_F(Sources, AxesInReverse) {
  {
    Writer writer(path());
    writer.numbers("/X", H5T_IEEE_F64LE, {3, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
    writer.numbers("/y", H5T_IEEE_F64LE, {1, 4}, {7, 8, 9, 10});
    writer.numbers("/packed", H5T_STD_I16LE, {2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}, packed({1, 3}));
  }
  const Hdf5Options reversed{.features = "X", .transpose = true};
  const Hdf5Dataset data(path(), "", reversed);
  EXPECT_EQ(data.rows(), 4);
  EXPECT_EQ(data.sample_shape(), (Shape{2, 3}));
  const Rows rows = all_rows(data);
  EXPECT_EQ(Floats(rows.x.begin(), rows.x.begin() + 6), (Floats{0, 8, 16, 4, 12, 20}));  // X[c, h, r] is x[r, h, c]
  EXPECT_EQ(rows.y, (Floats{7, 8, 9, 10}));
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "", {.features = "packed", .transpose = true})).x, (Floats{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "", {.features = "packed", .transpose = true, .memory_budget = 8})).x,
            (Floats{0, 4, 1, 5, 2, 6, 3, 7}));
  expect_error([&] { Hdf5Dataset(path(), "", {.features = "X"}); },
               {"'/y'", "expected 3 rows", "found 1", "the last axes fit (4)", "data.transpose: true"});
}

TEST_F(Sources, SeveralVariablesAreColumns) {
  {
    Writer writer(path());
    writer.numbers("/a/temperature", H5T_STD_I16LE, {3}, {1, 2, 3});
    writer.numbers("/a/pressure", H5T_IEEE_F64LE, {3, 1}, {0.5, 1.5, 2.5});
    writer.numbers("/b/wind", H5T_IEEE_F32BE, {3, 2}, {10, 11, 12, 13, 14, 15}, packed({2, 1}));
    writer.numbers("/a/y", H5T_IEEE_F32LE, {3}, {1, 0, 1});
    writer.numbers("/b/short", H5T_IEEE_F32LE, {2}, {1, 0});
  }
  const Hdf5Options options{.variables = {"temperature", "pressure", "/b/wind"}};
  const Hdf5Dataset data(path(), "a", options);
  EXPECT_EQ(data.sample_shape(), Shape{4});
  EXPECT_EQ(data.element_type(), "float64");
  EXPECT_EQ(data.names().feature_names, (Names{"temperature", "pressure", "wind_0", "wind_1"}));
  EXPECT_EQ(all_rows(data).x, (Floats{1, 0.5, 10, 11, 2, 1.5, 12, 13, 3, 2.5, 14, 15}));
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "a", {.variables = options.variables, .memory_budget = 40})).x, all_rows(data).x);
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "a", {.variables = {"temperature"}, .truth = "y"})).x, (Floats{1, 2, 3}));
  expect_error(
      [&] {
        Hdf5Dataset(path(), "a", {.variables = {"temperature", "/b/short"}});
      },
      {"'/a/temperature' has 3", "'/b/short' has 2"});
  expect_error([&] { Hdf5Dataset(path(), "a", {.variables = {"temperature", "rain"}}); }, {"no data set '/a/rain'", "/a/temperature"});
  const Hdf5Dataset turned(path(), "a",
                           {.variables = {"pressure", "temperature"}, .names = {{}, {"temperature", "pressure"}, {}, "", "m"}});
  EXPECT_EQ(all_rows(turned).x, (Floats{1, 0.5, 2, 1.5, 3, 2.5}));
}

TEST_F(Sources, AFrameOfPandas) {
  {
    Writer writer(path());
    writer.texts("/df/block0_items", {"age", "dose"}, true);
    writer.numbers("/df/block0_values", H5T_IEEE_F64LE, {3, 2}, {1.5, 2, 3.5, 4, 5.5, 6});
    writer.texts("/patients/block0_items", {"weight", "y"}, false);
    writer.numbers("/patients/block0_values", H5T_IEEE_F64LE, {2, 2}, {70, 0, 80, 1});
    write_string_attribute(writer.file(), "/patients", "pandas_type", "frame");
    writer.texts("/df/block1_items", {"y"}, true);
    writer.numbers("/df/block1_values", H5T_STD_I64LE, {3, 1}, {0, 1, 0});
    write_string_attribute(writer.file(), "/df", "pandas_type", "frame");
    writer.numbers("/t/table", H5T_STD_I64LE, {1}, {0});
    write_string_attribute(writer.file(), "/t", "pandas_type", "frame_table");
  }
  const Hdf5Dataset all(path(), "df");
  EXPECT_EQ(all.names().feature_names, (Names{"age", "dose"}));
  EXPECT_EQ(all_rows(all).x, (Floats{1.5, 2, 3.5, 4, 5.5, 6}));
  EXPECT_EQ(all_rows(all).y, (Floats{0, 1, 0}));
  const Hdf5Dataset some(path(), "df", {.variables = {"dose", "y", "age"}, .truth = "age"});
  EXPECT_EQ(all_rows(some).x, (Floats{2, 0, 1.5, 4, 1, 3.5, 6, 0, 5.5}));
  EXPECT_EQ(all_rows(some).y, (Floats{1.5, 3.5, 5.5}));
  expect_error([&] { Hdf5Dataset(path(), "df", {.variables = {"age", "rate"}}); }, {"no column 'rate'", "age, dose, y"});
  expect_error([&] { Hdf5Dataset(path(), "t"); }, {"frame_table of pandas", "format='fixed'"});
  const Hdf5Dataset patients(path(), "patients");
  EXPECT_EQ(all_rows(patients).x, (Floats{70, 80})) << "no sample weights, which are asked for by name";
  EXPECT_EQ(patients.weights(), "");
  EXPECT_EQ(all_rows(Hdf5Dataset(path(), "patients", {.truth = "", .not_features = {"y"}})).x, (Floats{70, 80}));
}

TEST_F(Sources, VariablesOfNetCdf) {
  {
    Writer writer(path());
    writer.numbers("/temperature", H5T_STD_I16LE, {3}, {0, 100, -999});
    write_double_attribute(writer.file(), "/temperature", "scale_factor", 0.25);
    write_double_attribute(writer.file(), "/temperature", "add_offset", 20);
    write_int_attribute(writer.file(), "/temperature", "_FillValue", -999);
    writer.numbers("/wind", H5T_IEEE_F32LE, {3}, {1, 0x1.ep+122, 3});
    writer.numbers("/y", H5T_STD_I8LE, {3}, {0, 1, 0});
    write_string_attribute(writer.file(), "/", "_NCProperties", "version=2");
  }
  const Hdf5Dataset data(path(), "", {.variables = {"temperature", "wind"}});
  const Floats x = all_rows(data).x;
  EXPECT_EQ(data.element_type(), "float32");
  EXPECT_EQ(x[0], 20.F);
  EXPECT_EQ(x[2], 45.F);
  EXPECT_TRUE(std::isnan(x[4]));
  EXPECT_EQ(x[1], 1.F);
  EXPECT_TRUE(std::isnan(x[3]));
  const auto reader = data.open({{0, 3}});
  expect_error([&] { reader->expect_finite(); }, {"row 1", "column 1", "nan"});
}

TEST_F(Sources, RowsOfOtherProgramsBecomeADataFile) {
  {
    Writer writer(path());
    writer.numbers("/X", H5T_STD_I16LE, {2, 4}, {0, 1, 2, 3, 10, 11, 12, 13});
    writer.texts("/y", {"b", "a", "b", "a"}, false);
    writer.numbers("/weight", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
  }
  Hdf5File out = Hdf5File::create(path("out.h5"));
  import_hdf5(out, Hdf5Dataset(path(), "", {.features = "X", .transpose = true}), "", 0);
  out.close();
  const Hdf5Dataset data(path("out.h5"), "train");
  EXPECT_EQ(data.element_type(), "int16");
  EXPECT_EQ(data.class_names(), (Names{"a", "b"}));
  EXPECT_EQ(data.weights(), "/train/weight");
  EXPECT_EQ(all_rows(data).x, (Floats{0, 10, 1, 11, 2, 12, 3, 13}));
  EXPECT_EQ(all_rows(data).y, (Floats{1, 0, 1, 0}));
  Hdf5File split = Hdf5File::create(path("split.h5"));
  import_hdf5(split, Hdf5Dataset(path(), "", {.rows = {1, 4}, .features = "X", .transpose = true}), "train=0.67,test=0.33", 1);
  EXPECT_EQ(split.info("/train/x").shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(split.info("/test/weight").shape, std::vector<std::int64_t>{1});
}

TEST_F(Sources, DistinctValuesThatBecomeEqualAreCounted) {
  std::vector<double> times, days, fractions;
  for (int i = 0; i < 1000; ++i) {
    times.push_back(1'700'000'000 + i);
    days.push_back(45'000 + i / 86'400.);
    fractions.push_back(std::sin(i));
  }
  {
    Writer writer(path());
    writer.numbers("/x", H5T_STD_I64LE, {1000, 1}, times);
    writer.numbers("/days", H5T_IEEE_F64LE, {1000}, days, packed({100}));
    writer.numbers("/fractions", H5T_IEEE_F64LE, {1000}, fractions);
    writer.numbers("/y", H5T_STD_I64LE, {1000}, std::vector<double>(1000, 1));
    writer.numbers("/bytes", H5T_STD_U8LE, {1000, 1}, std::vector<double>(1000, 1));
    writer.numbers("/ids", H5T_STD_U64LE, {1000}, times);
  }
  const std::vector<LostValues> lost = lost_values(Hdf5Dataset(path(), ""));
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].distinct, 1000);
  EXPECT_EQ(lost[0].lost, 991);  // floats are 128 apart
  const std::string text = lost_text(lost[0]);
  EXPECT_NE(text.find("'/x': 991 of 1000 distinct values"), std::string::npos) << text;
  const std::vector<LostValues> columns = lost_values(Hdf5Dataset(path(), "", {.variables = {"fractions", "days"}, .truth = "ids"}));
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_NE(columns[0].where.find("column 'days'"), std::string::npos);
  EXPECT_GT(columns[0].lost, 500);
  EXPECT_NE(columns[1].where.find("'/ids'"), std::string::npos);
  EXPECT_TRUE(lost_values(Hdf5Dataset(path(), "", {.features = "bytes"})).empty());
}

}  // namespace
}  // namespace lockstep
