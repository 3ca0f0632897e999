#include "io/import/csv/csv.h"

#include <gtest/gtest.h>

#include "io/import/csv/records.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using namespace std::string_literals;
using Record = std::vector<std::string>;

std::vector<Record> records(const std::string& text, char separator = ',') {
  CsvReader reader(text, "f.csv", separator);
  std::vector<Record> all;
  for (std::vector<std::string_view> record; reader.next(record);) all.emplace_back(record.begin(), record.end());
  return all;
}

Table table(const std::string& text, const CsvOptions& options = {.targets = {"y"}}) { return read_csv(text, "f.csv", options); }

TEST(CsvReader, Rfc4180) {
  EXPECT_EQ(records("a,b\n1,2\n"), (std::vector<Record>{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(records("a,b\r\n1,2"), (std::vector<Record>{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(records("\xEF\xBB\xBF\"a\",b\r\n"), (std::vector<Record>{{"a", "b"}}));
  EXPECT_EQ(records("\"x, \"\"y\"\"\r\nz\",2\r\n,\n"), (std::vector<Record>{{"x, \"y\"\r\nz", "2"}, {"", ""}}));
  EXPECT_EQ(records("a,\n,\"\"\n\n\r\n"), (std::vector<Record>{{"a", ""}, {"", ""}}));
  EXPECT_TRUE(records("").empty());
  expect_error([] { records("a\nb\"c\n"); }, {"f.csv", "line 2", "quote"});
  expect_error([] { records("a\n\"b\"c\n"); }, {"line 2", "closing quote"});
  expect_error([] { records("a\n\"b\n\n"); }, {"line 2", "never closed"});
  expect_error([] { records("a\rb\n"); }, {"line 1", "carriage return"});
  expect_error([] { records("a\0b\n"s); }, {"line 1", "zero byte"});
}

TEST(CsvReader, CountsLinesThroughQuotedLineEnds) {
  CsvReader reader("h\n\"a\nb\"\nc\n", "f.csv", ',');
  std::vector<std::string_view> record;
  std::vector<std::int64_t> lines;
  while (reader.next(record)) lines.push_back(reader.line());
  EXPECT_EQ(lines, (std::vector<std::int64_t>{1, 2, 4}));
}

TEST(Csv, NumbersBecomeATable) {
  const Table t = table("a,y,b\n1, +2.5 ,-3e-2\n4,5,1e3\n");
  EXPECT_EQ(t.rows, 2);
  EXPECT_EQ(t.feature_names, (Record{"a", "b"}));
  EXPECT_EQ(t.x, (std::vector<float>{1, -3e-2F, 4, 1000}));
  EXPECT_EQ(t.y, (std::vector<float>{2.5F, 5}));
  EXPECT_TRUE(t.class_names.empty());
  const Table two = table("a,y,b\n1,2,3\n", {.targets = {"b", "y"}});
  EXPECT_EQ(two.y, (std::vector<float>{3, 2}));
  EXPECT_EQ(two.target_names, (Record{"b", "y"}));
  EXPECT_EQ(table("id,a,y\nq7,1,2\n", {.targets = {"y"}, .drop = {"id"}}).x, std::vector<float>{1});
}

TEST(Csv, WordsBecomeClassesInSortedOrder) {
  const Table t = table("a,y\n1,versicolor\n2,setosa\n3,\"virginica\"\n4,setosa\n");
  EXPECT_EQ(t.class_names, (Record{"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(t.labels, (std::vector<std::int64_t>{1, 0, 2, 0}));
  const Table numbers = table("a,y\n1,10\n2,9\n3,10\n", {.targets = {"y"}, .classes = true});
  EXPECT_EQ(numbers.class_names, (Record{"9", "10"}));
  EXPECT_EQ(numbers.labels, (std::vector<std::int64_t>{1, 0, 1}));
}

TEST(Csv, WrongContentIsAnErrorWithLineAndColumn) {
  expect_error([] { table("a,y\n1,2\n,3\n"); }, {"f.csv", "line 3", "'a'", "missing"});
  expect_error([] { table("a,y\n1,2\n3,NA\n"); }, {"line 3", "'y'", "missing"});
  expect_error([] { table("a,y\n1,x\n3, \n"); }, {"line 3", "'y'", "missing"});
  expect_error([] { table("a,y\n1,\n3,2\n"); }, {"line 2", "'y'", "missing"});
  expect_error([] { table("a,y\n1,2\n12x,3\n"); }, {"line 3", "'a'", "'12x'"});
  expect_error([] { table("a,y\n1,2\n1,abc\n"); }, {"line 3", "'y'", "'abc'"});
  expect_error([] { table("a,y\n1e39,2\n"); }, {"line 2", "'a'", "float32"});
  expect_error([] { table("a,y\n1e999,2\n"); }, {"line 2", "'a'", "float32"});
  expect_error([] { table("a,y\ninf,2\n"); }, {"line 2", "'a'", "float32"});
  expect_error([] { table("a,y\n1,2,3\n"); }, {"line 2", "3 fields", "2"});
  expect_error([] { table("a,y\n1,2\n\n3,4\n"); }, {"line 3", "1 fields"});
  expect_error([] { table("1,2\n3,4\n"); }, {"line 1", "header"});
  expect_error([] { table("a,a\n3,4\n"); }, {"two columns", "'a'"});
  expect_error([] { table("a,\n3,4\n"); }, {"column 2", "no name"});
  expect_error([] { table("a,b\n3,4\n"); }, {"no column 'y'", "a, b"});
  expect_error([] { table("y\n3\n"); }, {"features"});
  expect_error([] { table("a,y\n"); }, {"no row"});
  expect_error([] { table(""); }, {"empty"});
  expect_error([] { table("a,y,b\n1,p,q\n", {.targets = {"y", "b"}}); }, {"line 2", "'y'", "'p'"});
  expect_error([] { table("a,y\n1,2\n", {.targets = {"y", "y"}}); }, {"twice"});
  expect_error([] { table("a,y\n1,2\n", {.targets = {"y"}, .drop = {"y"}}); }, {"'y'"});
}

}  // namespace
}  // namespace lockstep
