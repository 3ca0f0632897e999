// CSV files as people have them: words, holes, an index, several files, the next file.
#include <gtest/gtest.h>

#include "io/data/data_file.h"
#include "io/import/csv/csv.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using Names = std::vector<std::string>;
using Floats = std::vector<float>;

Table table(const std::string& text, const CsvOptions& options = {.targets = {"y"}}) { return read_csv(text, "f.csv", options); }

CsvImport import(const std::vector<std::string>& texts, const CsvOptions& options = {.targets = {"y"}}) {
  CsvFiles files(options);
  for (std::size_t i = 0; i < texts.size(); ++i) files.add(texts[i], "f" + std::to_string(i + 1) + ".csv");
  return files.finish();
}

CsvImport next_like(const CsvImport& first, const std::string& text, const CsvOptions& options = {}) {
  const testing::TempDir dir;  // by way of a file
  {
    Hdf5File file = Hdf5File::create(dir / "d.h5");
    write_recipe(file, first.recipe);
  }
  CsvFiles files(read_recipe(Hdf5File::open(dir / "d.h5")), "train.h5", options);
  files.add(text, "next.csv");
  return files.finish();
}

TEST(CsvFiles, AFirstColumnThatNumbersRowsIsAnIndex) {
  EXPECT_EQ(table(",a,y\n0,1.0,0\n1,2.0,1\n").x, (Floats{1, 2}));
  EXPECT_EQ(table("\"\",\"a\",\"y\"\n\"7\",1,0\n\"3\",2,1\n").x, (Floats{1, 2}));  // shuffled
  EXPECT_EQ(table("Unnamed: 0,a,y\n0,1,0\n1,2,1\n").feature_names, Names{"a"});
  EXPECT_EQ(import({",a,y\n0,1,0\n1,2,1\n", ",a,y\n0,3,0\n"}).table.x, (Floats{1, 2, 3}));
  expect_error([] { table(",a,y\n0.5,1,0\n1,2,1\n"); }, {"line 2", "column 1", "'0.5'"});
  expect_error([] { table(",a,y\n1,1,0\n1,2,1\n"); }, {"line 3", "column 1"});
  CsvFiles files({.targets = {"y"}});
  files.add(",a,y\n0,1,0\n", "f.csv");
  ASSERT_EQ(files.notes().size(), 1U);
  EXPECT_NE(files.notes()[0].find("index"), std::string::npos);
}

TEST(CsvFiles, TrueAndFalseAreNumbers) {
  EXPECT_EQ(table("a,b,y\n1,True,0\n2,False,1\n").x, (Floats{1, 1, 2, 0}));
  EXPECT_EQ(table("b,y\n1,0\nTRUE,1\n0,1\n").x, (Floats{1, 1, 0}));
  EXPECT_EQ(table("a,y\n1,True\n2,False\n").class_names, (Names{"False", "True"}));
  expect_error([] { table("a,y\nTrue,1\n7,1\n"); }, {"'a'", "True"});
}

TEST(CsvFiles, WithoutAHeaderColumnsAreNumbered) {
  const Table t = table("6,148,1\n1,85,0\n", {.targets = {"c3"}, .header = false});
  EXPECT_EQ(t.feature_names, (Names{"c1", "c2"}));
  EXPECT_EQ(t.rows, 2);
  EXPECT_EQ(t.y, (Floats{1, 0}));
  expect_error([] { table("1,2\n3,4\n"); }, {"--no-header", "c1 to c2"});
  expect_error([] { table("1,2\n3\n", {.targets = {"c2"}, .header = false}); }, {"line 2", "first row"});
}

TEST(CsvFiles, WordsNeedAnEncoding) {
  const std::string text = "a,b,y\n1,bay,0\n2,inland,0\n3,bay,1\n";
  expect_error([&] { table(text); }, {"b", "'bay'", "line 2", "--one-hot b", "--ordinal b", "--drop b"});
  const Table hot = table(text, {.targets = {"y"}, .one_hot = {"b"}});
  EXPECT_EQ(hot.feature_names, (Names{"a", "b=bay", "b=inland"}));
  EXPECT_EQ(hot.x, (Floats{1, 1, 0, 2, 0, 1, 3, 1, 0}));
  const Table ordinal = table("b,y\nz,0\nx,0\nz,1\n", {.targets = {"y"}, .ordinal = {"b"}});
  EXPECT_EQ(ordinal.x, (Floats{1, 0, 1}));
  EXPECT_EQ(table("b,y\n10,0\n9,0\n9.0,1\n", {.targets = {"y"}, .ordinal = {"b"}}).x, (Floats{1, 0, 0}));
  expect_error([&] { table(text, {.targets = {"y"}, .one_hot = {"b"}, .ordinal = {"b"}}); }, {"'b'", "twice"});
  expect_error([&] { table(text, {.targets = {"y"}, .one_hot = {"q"}}); }, {"'q'", "a, b, y"});
}

TEST(CsvFiles, MissingValuesAreFilledFromTheFirstSplit) {
  const std::string text = "a,y\n1,0\n,0\n2,0\n2,0\n9,0\n";
  const auto filled = [&](const std::string& method) { return table(text, {.targets = {"y"}, .impute = method}).x[1]; };
  EXPECT_EQ(filled("mean"), 3.5F);
  EXPECT_EQ(filled("median"), 2.F);
  EXPECT_EQ(filled("most-frequent"), 2.F);
  expect_error([&] { table(text); }, {"line 3", "'a'", "missing", "--impute"});
  expect_error([] { table("a,b,y\n1,,0\n2,,0\n", {.targets = {"y"}, .impute = "mean"}); }, {"'b'", "no value"});
  expect_error([] { table("a,y\n1,0\n2,\n", {.targets = {"y"}, .impute = "mean"}); }, {"line 3", "'y'", "target"});
  EXPECT_EQ(table("b,y\nq,0\nq,0\nc,0\n,1\n", {.targets = {"y"}, .ordinal = {"b"}, .impute = "mean"}).x, (Floats{1, 1, 0, 1}));
  std::string rows = "a,y\n,0\n";
  for (int i = 1; i < 10; ++i) rows += std::to_string(i) + ",0\n";
  const CsvImport split = import({rows}, {.targets = {"y"}, .impute = "mean", .split = "train=0.5,test=0.5", .seed = 1});
  const CsvImport turned = import({rows}, {.targets = {"y"}, .impute = "mean", .split = "test=0.5,train=0.5", .seed = 1});
  const auto order = shuffled_rows(10, 1);  // row r holds r; row 0 holds nothing
  const auto mean = [&](std::size_t first, std::size_t last) {
    double sum = 0, count = 0;
    for (std::size_t i = first; i < last; ++i) {
      sum += static_cast<double>(order[i]);
      count += order[i] == 0 ? 0 : 1;
    }
    return sum / count;
  };
  EXPECT_EQ(split.recipe.fill.at("a"), mean(0, 5));
  EXPECT_EQ(turned.recipe.fill.at("a"), mean(5, 10));
}

TEST(CsvFiles, TextsOfMissingValuesCanBeNamed) {
  EXPECT_EQ(table("a,y\n1,0\n-999.0,0\n", {.targets = {"y"}, .na = {"-999"}, .impute = "mean"}).x[1], 1.F);
  EXPECT_EQ(table("a;y\n1,5;0\n-99,9;0\n", {.targets = {"y"}, .na = {"-99,9"}, .impute = "mean"}).x[1], 1.5F);
  EXPECT_EQ(table("a,y\n1,0\nbroken,0\n", {.targets = {"y"}, .na = {"broken"}, .impute = "mean"}).x[1], 1.F);
  expect_error([] { table("a,y\n1,0\n2,0\nbroken,0\n"); }, {"line 4", "'broken'", "--na"});
}

TEST(CsvFiles, ClassesMayBeCalledNoneAndNA) {
  const Table t = table("a,y\n1,None\n2,NA\n3,low\n4,None\n");
  EXPECT_EQ(t.class_names, (Names{"NA", "None", "low"}));
  EXPECT_EQ(t.labels, (std::vector<std::int64_t>{1, 0, 2, 1}));
  CsvFiles files({.targets = {"y"}});
  files.add("a,y\n1,NA\n2,low\n", "f.csv");
  ASSERT_EQ(files.notes().size(), 1U);
  EXPECT_NE(files.notes()[0].find("'NA' is a class, not a missing value"), std::string::npos);
  expect_error([] { table("a,y\n1,None\n2,\n3,low\n"); }, {"line 3", "'y'", "missing"});
  expect_error([] { table("a,y\n1,None\n2,5\n"); }, {"line 2", "'None'", "--classes"});
  EXPECT_EQ(table("a,y\n1,None\n2,5\n", {.targets = {"y"}, .classes = true}).class_names, (Names{"5", "None"}));
}

TEST(CsvFiles, FilesAreJoinedByName) {
  const CsvImport joined = import({"a,b,y\n1,2,cat\n", "y;b;a\ndog;4;3,5\n"});
  EXPECT_EQ(joined.table.x, (Floats{1, 2, 3.5F, 4}));
  EXPECT_EQ(joined.table.class_names, (Names{"cat", "dog"}));
  CsvFiles files({.targets = {"y"}});
  files.add("a,b,y\n1,2,0\n", "f1.csv");
  files.add("b,a,y\n1,2,0\n", "f2.csv");
  ASSERT_EQ(files.notes().size(), 1U);
  EXPECT_NE(files.notes()[0].find("f2.csv"), std::string::npos);
  expect_error([] { import({"a,b,y\n1,2,0\n", "a,c,y\n1,2,0\n"}); }, {"f2.csv", "f1.csv", "missing: b", "unknown: c"});
}

TEST(CsvFiles, TheNextFileIsReadAsTheFirst) {
  const CsvImport first = import({"a;b;y\n1,5;bay;cat\n;sea;dog\n2,5;bay;fox\n"}, {.targets = {"y"}, .one_hot = {"b"}, .impute = "mean"});
  const CsvImport next = next_like(first, "y;b;a\ndog;sea;\nfox;bay;7\n");
  EXPECT_EQ(next.table.class_names, first.table.class_names);
  EXPECT_EQ(next.table.labels, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(next.table.feature_names, first.table.feature_names);
  EXPECT_EQ(next.table.x, (Floats{2, 0, 1, 7, 1, 0}));
  expect_error([&] { next_like(first, "a;b;y\n1;bay;wolf\n"); }, {"next.csv", "'wolf'", "train.h5", "cat, dog, fox"});
  expect_error([&] { next_like(first, "a;b;y\n1;moor;cat\n"); }, {"'moor'", "bay, sea"});
  expect_error([&] { next_like(first, "a;c;y\n1;bay;cat\n"); }, {"missing: b", "unknown: c"});
  expect_error([&] { next_like(first, "a;b;y\n1;bay;cat\n", {.drop = {"b"}}); }, {"--drop b"});
  EXPECT_EQ(next_like(first, "a;b;y;id\n1;bay;cat;q\n", {.drop = {"id"}}).table.rows, 1);
}

TEST(CsvFiles, TheNextFileHasNumbersWhereTheFirstHad) {
  const CsvImport first = import({",a,y\n0,1,7\n"}, {.targets = {"y"}, .split = "train=1"});
  EXPECT_EQ(next_like(first, "y,a\n5,3\n").table.y, Floats{5});
  EXPECT_EQ(next_like(first, "y,a\n5,3\n").splits.front().name, "train");
  EXPECT_EQ(next_like(first, "y,a\n5,3\n", {.split = "test=1"}).splits.front().name, "test");
  expect_error([&] { next_like(first, "y,a\nword,3\n"); }, {"'y'", "'word'"});
  expect_error([&] { next_like(first, "y,a\n1,\n"); }, {"missing", "train.h5"});
  const CsvImport classes = import({"a,y\n1,1\n1,2\n"}, {.targets = {"y"}, .classes = true});
  EXPECT_EQ(next_like(classes, "a,y\n1,2.0\n").table.labels, std::vector<std::int64_t>{1});
}

TEST(CsvFiles, TheNextFileMayLackTheTargetAndBeSmall) {
  const CsvImport first = import({"a,b,y\n1,2,cat\n2,3,dog\n3,4,cat\n4,5,dog\n"}, {.targets = {"y"}, .split = "train=0.5,test=0.5"});
  const CsvImport targetless = next_like(first, "b,a\n7,8\n9,10\n");
  EXPECT_EQ(targetless.table.x, (Floats{8, 7, 10, 9}));
  EXPECT_TRUE(targetless.table.labels.empty());
  EXPECT_EQ(targetless.splits.at(0).name, "test");
  EXPECT_EQ(targetless.splits.at(0).rows, 2);
  ASSERT_EQ(targetless.notes.size(), 1U);
  EXPECT_NE(targetless.notes[0].find("no column y"), std::string::npos);
  EXPECT_EQ(next_like(first, "a,b,y\n1,2,cat\n3,4,dog\n").splits.size(), 2U);
  const CsvImport small = next_like(first, "a,b,y\n1,2,dog\n");
  EXPECT_EQ(small.splits.at(0).name, "train");
  EXPECT_EQ(small.splits.size(), 1U);
  EXPECT_NE(small.notes.at(0).find("too few"), std::string::npos);
  expect_error([&] { next_like(first, "a,b,y\n1,2,dog\n", {.split = "train=0.5,test=0.5"}); }, {"no row of 1"});
  expect_error([&] { import({"a,b\n1,2\n"}, {.targets = { "y" }}); }, {"no column 'y'"});
  const testing::TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "d.h5");
  write_table(file, targetless.table, targetless.splits, targetless.seed);
  EXPECT_TRUE(file.exists("/test/x"));
  EXPECT_FALSE(file.exists("/test/y"));
  EXPECT_EQ(read_names(file).class_names, (Names{"cat", "dog"}));
}

TEST(CsvFiles, ACommaThatMaySeparateThousandsIsNotGuessed) {
  for (const std::string mark : {";", "\t"}) {
    const std::string text = "a" + mark + "y\n1,234" + mark + "0\n5,678" + mark + "1\n";
    expect_error([&] { table(text); }, {"f.csv, line 2, column 'a'", "'1,234' may be 1.234 or 1234", "--decimal ,", "--thousands ,"});
    EXPECT_EQ(table(text, {.targets = {"y"}, .decimal = ','}).x, (Floats{1.234F, 5.678F}));
    EXPECT_EQ(table(text, {.targets = {"y"}, .thousands = ','}).x, (Floats{1234, 5678}));
  }
  EXPECT_EQ(table("a;y\n1,234;0\n0,678;1\n").x, (Floats{1.234F, 0.678F}));
  EXPECT_EQ(table("a;y\n1,234;0,5\n5,678;1\n").x, (Floats{1.234F, 5.678F}));
  expect_error([] { table("a;b;y\n1,234;1.5;0\n5,678;2.5;1\n9;3.5;1\n"); }, {"'1,234'", "--thousands , reads it as 1234"});
  expect_error([] { table("a,y\n\"1,234\",0\n"); }, {"'1,234'", "--thousands ,"});
  EXPECT_EQ(table("a,y\n\"1,234.5\",0\n", {.targets = {"y"}, .thousands = ','}).x, Floats{1234.5F});
  EXPECT_EQ(table("a;y\n1.234,5;0\n", {.targets = {"y"}, .thousands = '.'}).x, Floats{1234.5F});
  expect_error([] { table("a;y\n1.234,5;0\n2;1\n3;1\n"); }, {"'1.234,5'", "--thousands ."});
  CsvFiles files({.targets = {"y"}});
  files.add("a;y\n1,5;0\n", "f.csv");
  ASSERT_EQ(files.notes().size(), 1U);
  EXPECT_NE(files.notes()[0].find("decimal comma"), std::string::npos);
  const CsvImport marked = import({"a;y\n1.234,5;0\n"}, {.targets = {"y"}, .thousands = '.'});
  EXPECT_EQ(next_like(marked, "a;y\n2.000;0\n").table.x, Floats{2000});
}

TEST(CsvFiles, LabelsWithLeadingZerosStayApart) {
  const Table t = table("a,y\n1,123\n2,0123\n3,7\n", {.targets = {"y"}, .classes = true});
  EXPECT_EQ(t.class_names, (Names{"0123", "123", "7"}));
  EXPECT_EQ(t.labels, (std::vector<std::int64_t>{1, 0, 2}));
  EXPECT_EQ(table("a,y\n1,1\n2,1.0\n", {.targets = {"y"}, .classes = true}).class_names, Names{"1"});
  EXPECT_EQ(table("a,y\n1,12345678901234567890\n2,12345678901234567891\n", {.targets = {"y"}, .classes = true}).class_names.size(), 2U);
  const CsvImport first = import({"a,y\n1,123\n2,7\n"}, {.targets = {"y"}, .classes = true});
  expect_error([&] { next_like(first, "a,y\n1,0123\n"); }, {"'0123'", "no class"});
}

TEST(CsvFiles, NumbersThatFloat32CannotTellApartAreCounted) {
  CsvFiles files({.targets = {"y"}});
  files.add("t,a,y\n1700000000,1,0\n1700000001,2,0\n1700000512,16777217,0\n", "f.csv");
  EXPECT_EQ(large_numbers(files.columns()[0]).lost, 1);
  EXPECT_EQ(large_numbers(files.columns()[0]).distinct, 3);
  EXPECT_EQ(large_numbers(files.columns()[1]).lost, 0);
}

TEST(CsvFiles, AHundredThousandColumns) {
  constexpr int kColumns = 100'000;
  std::string header, row;
  for (int i = 0; i < kColumns; ++i) {
    header += "gene" + std::to_string(i) + ",";
    row += std::to_string(i % 7) + ",";
  }
  const CsvImport wide = import({header + "y\n" + row + "a\n" + row + "b\n"});
  EXPECT_EQ(wide.table.x.size(), 2U * kColumns);
  const testing::TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "d.h5");
  write_table(file, wide.table, wide.splits, wide.seed);
  write_recipe(file, wide.recipe);
  file.close();
  const Hdf5File again = Hdf5File::open(dir / "d.h5");
  EXPECT_EQ(read_recipe(again).columns.size(), std::size_t{kColumns});
  EXPECT_EQ(read_names(again).feature_names, wide.table.feature_names);
}

}  // namespace
}  // namespace lockstep
