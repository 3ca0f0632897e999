// Files that name their classes and columns: what is read has one order, whatever that of each file is.
#include <gtest/gtest.h>

#include <numeric>

#include "io/data/data_file.h"
#include "io/data/name_list.h"
#include "io/data/names/names_json.h"
#include "io/data/row_appender.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/dataset.h"
#include "io/import/csv/recipe.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;
using Strings = std::vector<std::string>;

/// Rows whose column NAME holds 100 * its letter + row, and the class index of each row.
template <class Label = std::uint8_t>
void write(const std::string& path, const Strings& features, const Strings& classes, const std::vector<Label>& labels) {
  Hdf5File file = Hdf5File::create(path);
  const auto rows = static_cast<std::int64_t>(labels.size()), columns = static_cast<std::int64_t>(features.size());
  std::vector<double> x;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const std::string& name : features) x.push_back(100 * name[0] + static_cast<double>(r));
  }
  file.write<double>("/train/x", {rows, columns}, x);
  file.write<Label>("/train/y", {rows}, labels);
  write_names(file, {classes, features, {}, "", ""});
  file.close();
}

/// All rows, one by one in reverse and once more in order, from memory and streamed: columns, then the label.
void expect_rows(const Hdf5Dataset& data, const std::vector<std::vector<float>>& expected) {
  ASSERT_EQ(data.rows(), static_cast<std::int64_t>(expected.size()));
  std::vector<std::int64_t> order(expected.size());
  std::iota(order.rbegin(), order.rend(), 0);
  for (std::size_t r = 0; r < expected.size(); ++r) order.push_back(static_cast<std::int64_t>(r));
  const auto reader = data.open({{0, data.rows()}});
  reader->begin(order);
  for (const std::int64_t r : order) {
    std::vector<float> row(expected[0].size());
    float weight = 0;
    reader->read(1, {row.data(), &row.back(), &weight});
    EXPECT_EQ(row, expected[static_cast<std::size_t>(r)]) << r;
  }
}

TEST(DataNames, ColumnsAndClassesOfAllFilesTakeTheOrderOfTheFirst) {
  TempDir dir;
  write(dir / "day1.h5", {"a", "b", "c"}, {"cat", "dog"}, {0, 1});
  write(dir / "day2.h5", {"c", "a", "b"}, {"dog", "fox", "cat"}, {0, 1, 2});
  for (const std::int64_t budget : {1 << 20, 0}) {
    const Hdf5Dataset data(dir / "day*.h5", "train", {.memory_budget = budget});
    expect_rows(data, {{9700, 9800, 9900, 0}, {9701, 9801, 9901, 1}, {9700, 9800, 9900, 1}, {9701, 9801, 9901, 2}, {9702, 9802, 9902, 0}});
    EXPECT_EQ(data.class_names(), (Strings{"cat", "dog", "fox"}));
    EXPECT_EQ(data.names().feature_names, (Strings{"a", "b", "c"}));
    EXPECT_EQ(data.notes(), (Strings{(dir / "day2.h5") + ": its columns take the order of " + (dir / "day1.h5"),
                                     (dir / "day2.h5") + ": its class indices take the order of " + (dir / "day1.h5")}));
    std::vector<float> labels;
    data.each_truth({0, 5}, [&](std::int64_t, std::span<const float> truth, std::span<const float>) {
      labels.insert(labels.end(), truth.begin(), truth.end());
    });
    EXPECT_EQ(labels, (std::vector<float>{0, 1, 1, 2, 0}));
  }
}

TEST(DataNames, OtherDataTakeTheOrderThatIsGiven) {
  TempDir dir;
  write(dir / "train.h5", {"a", "b"}, {"cat", "dog"}, {0, 1});
  write(dir / "test.h5", {"b", "a"}, {"dog"}, {0});
  const DataNames names = Hdf5Dataset(dir / "train.h5", "train").names();
  const Hdf5Dataset test(dir / "test.h5", "train", {.names = names});
  expect_rows(test, {{9700, 9800, 1}});
  EXPECT_EQ(test.class_names(), names.class_names);
  const Hdf5Dataset same(dir / "train.h5", "train", {.names = names});
  EXPECT_TRUE(same.notes().empty());
  expect_rows(same, {{9700, 9800, 0}, {9701, 9801, 1}});
}

TEST(DataNames, LabelsOfEveryTypeAreMapped) {
  TempDir dir;
  const DataNames names{{"cat", "dog"}, {}, {}, "", "a model"};
  const auto check = [&]<class Label>(Label) {
    write<Label>(dir / "y.h5", {"a"}, {"dog", "cat"}, {0, 1});
    expect_rows(Hdf5Dataset(dir / "y.h5", "train", {.names = names}), {{9700, 1}, {9701, 0}});
  };
  check(std::int32_t{});
  check(std::int64_t{});
  check(float{});
  check(double{});
}

TEST(DataNames, WhatIsMissingOrUnknownIsAnError) {
  TempDir dir;
  const DataNames names{{"cat", "dog"}, {"a", "b"}, {}, "", "train.h5"};
  const auto open = [&](const Strings& features, const Strings& classes, const std::vector<std::uint8_t>& labels) {
    write(dir / "new.h5", features, classes, labels);
    Hdf5Dataset(dir / "new.h5", "train", {.names = names}).each_truth({0, static_cast<std::int64_t>(labels.size())}, [](auto&&...) {});
  };
  open({"b", "a"}, {"dog"}, {0, 0, 255});  // 255 is no class: what refuses it knows the row's weight
  expect_error(
      [&] {
        open({"b", "e"}, {"dog"}, {0});
      },
      {"new.h5: expected the features of train.h5, which are a, b; found b, e; missing: a; unknown: e"});
  expect_error([&] { open({"b", "b"}, {"dog"}, {0}); }, {"new.h5", "two of its features are called 'b'"});
  expect_error(
      [&] {
        open({"a", "b"}, {"dog", "fox"}, {0});
      },
      {"new.h5: expected classes of train.h5, which are cat, dog; found dog, fox; unknown: fox"});
  expect_error([&] { open({"a", "b"}, {"dog"}, {0, 0, 1}); }, {"new.h5: data set '/train/y', row 2", "1 class_names"});
}

TEST(DataNames, OneFileAloneMayNameTwoClassesAlike) {
  TempDir dir;
  write(dir / "twice.h5", {"a"}, {"b", "b"}, {0, 1});
  expect_rows(Hdf5Dataset(dir / "twice.h5", "train"), {{9700, 0}, {9701, 1}});
}

TEST(DataNames, WhatNamesFirstIsTheOrigin) {
  TempDir dir;
  write(dir / "none.h5", {"a", "b"}, {}, {0});
  write(dir / "valid.h5", {"a", "b"}, {"cat", "dog"}, {0});
  write(dir / "test.h5", {"a", "b"}, {"dog", "cat"}, {0});
  const Strings classes{"cat", "dog"};
  const Hdf5Dataset train(dir / "none.h5", "train"), valid(dir / "valid.h5", "train", {.names = train.names()}),
      test(dir / "test.h5", "train", {.names = valid.names()});
  EXPECT_EQ(train.names().origin, dir / "none.h5");
  EXPECT_EQ(valid.names().origin, (dir / "none.h5") + " and " + (dir / "valid.h5"));
  expect_rows(test, {{9700, 9800, 1}});
  EXPECT_EQ(test.class_names(), classes);
}

TEST(DataNames, ThoseOfXAreNotThoseOfOtherDataSets) {
  TempDir dir;
  write(dir / "f.h5", {"a", "b"}, {}, {0});
  {
    Hdf5File file = Hdf5File::create(dir / "z.h5");
    file.write<double>("/train/z", {1, 2}, std::vector<double>{1, 2});
    file.write<double>("/train/y", {1}, std::vector<double>{0});
    write_names(file, {{}, {"a", "b"}, {"price"}});
    file.close();
  }
  const Hdf5Dataset data(dir / "z.h5", "train", {.features = "z"});
  EXPECT_TRUE(data.names().feature_names.empty());
  EXPECT_EQ(data.names().target_names, Strings{"price"});
}

CsvRecipe sizes(const Strings& words, bool one_hot = false) {
  CsvRecipe recipe;
  recipe.columns = {"size"};
  recipe.targets = {"y"};
  recipe.categories["size"] = {one_hot, words};
  return recipe;
}

TEST(DataNames, ANumberDoesNotStandForTwoWords) {
  TempDir dir;
  const auto open = [&](const CsvRecipe& recipe) {
    write(dir / "new.h5", {"size"}, {}, {0});
    {
      Hdf5File file = Hdf5File::create(dir / "new.h5");
      file.write<double>("/train/x", {1, 1}, std::vector<double>{1});
      file.write<double>("/train/y", {1}, std::vector<double>{1});
      write_names(file, {{}, {"size"}, {"y"}});
      write_recipe(file, recipe);
      file.close();
    }
    const DataNames names{.feature_names = {"size"}, .origin = "the model", .reading = recipe_json(sizes({"big", "small"}))};
    return Hdf5Dataset(dir / "new.h5", "train", {.names = names}).names();
  };
  EXPECT_EQ(open(sizes({"big", "small"})).reading, recipe_json(sizes({"big", "small"})));
  open(sizes({"small"}, true));  // a column for each word has its name
  expect_error(
      [&] {
        open(sizes({"big", "mid", "small"}));
      },
      {"new.h5: the numbers in column 'size' stand for the words big, mid, small, but in the model", "for big, small", "--like"});
}

TEST(NamesJson, NamesComeBack) {
  const DataNames names{.class_names = {"katze", "h\xC3\xBCnd\n,\"x\"", ""},
                        .feature_names = {"a"},
                        .target_names = {"y"},
                        .origin = "m.keras",
                        .reading = recipe_json(sizes({"big", "small"}))};
  const DataNames back = names_from_json(Json::parse(names_json(names).dump(2)), "m.keras");
  EXPECT_EQ(back.class_names, names.class_names);
  EXPECT_EQ(back.feature_names, names.feature_names);
  EXPECT_EQ(back.target_names, names.target_names);
  EXPECT_EQ(back.reading, names.reading);
  EXPECT_EQ(back.origin, "m.keras");
  EXPECT_TRUE(names_json({}).is_null());
  EXPECT_TRUE(names_from_json(nullptr, "m.keras").empty());
  EXPECT_TRUE(names_json({.reading = "{damaged"}).is_null());
}

TEST(NamesJson, DamageIsAnErrorThatNamesTheModel) {
  for (const char* text : {"7", "[1]", R"({"class_names": "cat"})", R"({"feature_names": [1]})", R"({"target_names": {"a": 1}})"}) {
    expect_error([&] { names_from_json(Json::parse(text), "m.keras"); }, {"m.keras: the names of classes and columns are damaged"});
  }
  const DataNames odd = names_from_json(Json::parse(R"({"csv_import": 3})"), "m.keras");
  expect_error([&] { parse_recipe(odd.reading, odd.origin); }, {"m.keras: how its table was read", "damaged"});
}

TEST(RowAppender, RowsFollowThoseThatAreThere) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "a.h5");
  std::vector<float> all;
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::vector<float> rows(static_cast<std::size_t>(2 * (100'000 + i)), static_cast<float>(i));
    append_rows<float>(file, "/group/output", {2}, rows);
    append_rows<std::int64_t>(file, "/class", {}, std::vector<std::int64_t>{i, -i});
    append_texts(file, "/id", Strings{"row " + std::to_string(i), "h\xC3\xBC\n"});
    all.insert(all.end(), rows.begin(), rows.end());
    classes.insert(classes.end(), {i, -i});
  }
  file.close();
  const Hdf5File read = Hdf5File::open(dir / "a.h5");
  EXPECT_EQ(read.info("/group/output").shape, (std::vector<std::int64_t>{300'003, 2}));
  EXPECT_EQ(read.info("/id").shape, std::vector<std::int64_t>{6});
  std::vector<float> output(all.size());
  read.read_rows<float>("/group/output", 0, 300'003, output);
  EXPECT_EQ(output, all);
  std::vector<std::int64_t> values(6);
  read.read_rows<std::int64_t>("/class", 0, 6, values);
  EXPECT_EQ(values, classes);
}

TEST(NameList, ANameIsAPartOfALine) {
  EXPECT_EQ(name_list({"a", "b c", "two\nlines", "x,y", "\x01"}), "a, b c, two\\nlines, 'x,y', \\x01");
}

TEST(DataNames, ThoseOfAnotherEncodingBecomeUtf8) {
  TempDir dir;
  {
    Hdf5File file = Hdf5File::create(dir / "old.h5");
    write_strings_attribute(file, "/", "class_names", {"caf\xE9"});
    file.close();
  }
  EXPECT_EQ(read_names(Hdf5File::open(dir / "old.h5")).class_names, Strings{"caf\xC3\xA9"});
}

}  // namespace
}  // namespace lockstep
