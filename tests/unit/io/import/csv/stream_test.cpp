#include "io/import/csv/stream.h"

#include <gtest/gtest.h>

#include "io/files/byte_stream.h"
#include "io/import/csv/records.h"
#include "support/gzip.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;
using testing::write_file;
using Strings = std::vector<std::string>;

/// The names of a model that was trained on such a table.
DataNames model_of(const std::string& table, const CsvOptions& options) {
  CsvFiles files(options);
  files.add(table, "train.csv");
  const CsvImport import = files.finish();
  return {.feature_names = import.table.feature_names, .origin = "runs/a", .reading = recipe_json(import.recipe)};
}

/// All rows of a file.
struct Read {
  std::vector<float> features;
  Strings ids, notes;
  std::int64_t blocks = 0;
};
Read read(const std::string& path, const DataNames& model, const Strings& ids = {}) {
  CsvStream stream(path, model, ids);
  Read all;
  while (const auto rows = stream.next()) {
    EXPECT_EQ(static_cast<std::int64_t>(rows->features.size()), rows->rows * stream.width());
    all.features.insert(all.features.end(), rows->features.begin(), rows->features.end());
    for (const Strings& one : rows->ids) all.ids.insert(all.ids.end(), one.begin(), one.end());
    ++all.blocks;
  }
  all.notes = stream.notes();
  return all;
}

const DataNames kRooms =
    model_of("place,value,y\nbay,1,5\ninland,,3\nbay,4,2\n", {.targets = {"y"}, .one_hot = {"place"}, .impute = "mean"});

TEST(WholeRecords, EndBeforeWhatMayGoOn) {
  EXPECT_EQ(whole_records("a,b\n1,2\n3", ','), 8U);
  EXPECT_EQ(whole_records("a,b", ','), 0U);
  EXPECT_EQ(whole_records("a\n\"x\ny\"\n\"z\n", ','), 8U);
  EXPECT_EQ(whole_records("a\n\"x\"\"\ny\"\n\"z\"\"\n", ','), 10U);
  EXPECT_EQ(whole_records("1\"\n2\n", ','), 5U) << "a quote inside a field encloses nothing";
  EXPECT_EQ(whole_records("a\n1\n\n\n", ','), 4U) << "blank lines may be records";
  EXPECT_EQ(whole_records("\n\n", ','), 0U);
  EXPECT_EQ(whole_records("a b\r\n1 \"2\n3\"\r\n \n", ' '), 14U);
}

TEST(ByteStream, ReadsPlainAndGzipped) {
  TempDir dir;
  const std::string text(3'000'000, 'x');
  write_file(dir / "plain", text);
  write_file(dir / "packed", testing::gzip(text.substr(0, 1000)) + testing::gzip(text.substr(1000)));
  for (const char* name : {"plain", "packed"}) {
    ByteStream stream(dir / name);
    std::string all;
    EXPECT_EQ(stream.read(all, 10), 10U);
    EXPECT_EQ(stream.read(all, text.size()), text.size() - 10);
    EXPECT_EQ(stream.read(all, 1), 0U);
    EXPECT_EQ(all, text);
  }
  const std::string packed = testing::gzip(text);
  write_file(dir / "cut", packed.substr(0, packed.size() / 2));
  std::string damaged = packed;
  damaged[packed.size() / 2] ^= 0x55;
  write_file(dir / "damaged", damaged);
  std::string out;
  expect_error([&] { ByteStream(dir / "cut").read(out, text.size()); }, {"cut", "cut short"});
  expect_error([&] { ByteStream(dir / "damaged").read(out, 2 * text.size()); }, {"damaged gzip data"});
  expect_error([&] { ByteStream(dir / "none"); }, {"none", "No such file"});
}

TEST(CsvStream, NewRowsAreReadAsThoseOfTheTrainingWere) {
  TempDir dir;
  write_file(dir / "new.csv", "id;value;place\nq1;7,5;inland\n\"q,2\";;bay\n");
  const Read rows = read(dir / "new.csv", kRooms, {"id"});
  EXPECT_EQ(rows.features, (std::vector<float>{0, 1, 7.5F, 1, 0, 2.5F}));
  EXPECT_EQ(rows.ids, (Strings{"q1", "q,2"}));
  EXPECT_EQ(rows.notes, (Strings{(dir / "new.csv") + ": read with separator ';' and decimal sign ','",
                                 (dir / "new.csv") + ": its columns are in another order than those of runs/a; they are taken by name"}));
}

TEST(CsvStream, ATargetMayBeThere) {
  TempDir dir;
  write_file(dir / "new.csv", "place,value,y\nbay,2,word\n");
  const Read rows = read(dir / "new.csv", kRooms);
  EXPECT_EQ(rows.features, (std::vector<float>{1, 0, 2}));
  EXPECT_EQ(rows.notes, Strings{(dir / "new.csv") + ": column 'y' is the target; it is left out"});
  EXPECT_EQ(read(dir / "new.csv", kRooms, {"y", "place"}).ids, (Strings{"word", "bay"}));
}

TEST(CsvStream, WhatDoesNotFitIsNamed) {
  TempDir dir;
  const auto expect = [&](const std::string& text, const Strings& words, const Strings& ids = {}) {
    write_file(dir / "new.csv", text);
    expect_error([&] { read(dir / "new.csv", kRooms, ids); }, words);
  };
  expect("place,size,owner\nbay,1,x\n",
         {"new.csv: its columns are not those of runs/a: missing: value; unknown: size, owner (--id COLUMN"});
  expect("place,value\nbay,1\n", {"there is no column 'id'; its columns are: place, value"}, {"id"});
  expect("place,value\nbay,1\ncity,2\n", {"column 'place' holds 'city', which is no word of runs/a", "bay, inland"});
  expect("place,value\nbay,1\n,x\n",
         {"line 3, column 'value': expected a number, found 'x' (1 of 2 values are no numbers); runs/a has numbers there"});
  expect("place,value\nbay,1,2\n", {"line 2: 3 fields, but the header has 2"});
  expect("place,value\n", {"no row after the header"});
  expect("\n", {"empty"});
}

TEST(CsvStream, TheOrderOfTheModelHolds) {
  TempDir dir;
  DataNames model = kRooms;
  model.feature_names = {"value", "place=inland", "place=bay"};
  write_file(dir / "new.csv", "place,value\nbay,2\n");
  EXPECT_EQ(read(dir / "new.csv", model).features, (std::vector<float>{2, 0, 1}));
  write_file(dir / "plain.csv", "b,a\n1,2\n");
  EXPECT_EQ(read(dir / "plain.csv", {.feature_names = {"a", "b"}}).features, (std::vector<float>{2, 1}));
  EXPECT_EQ(read(dir / "plain.csv", {}).features, (std::vector<float>{1, 2}));
  EXPECT_EQ(read(dir / "plain.csv", {}).notes,
            Strings{(dir / "plain.csv") + ": the model does not name its features; they are taken in the order of the file: b, a"});
}

TEST(CsvStream, AFileWithoutAHeaderMayLackTheTarget) {
  TempDir dir;
  const DataNames model = model_of("0,6,148\n1,1,85\n", {.targets = {"c1"}, .header = false});
  write_file(dir / "new.csv", "5,6\n7,8\n");
  EXPECT_EQ(read(dir / "new.csv", model).features, (std::vector<float>{5, 6, 7, 8}));
  write_file(dir / "all.csv", "0,5,6\n");
  EXPECT_EQ(read(dir / "all.csv", model).features, (std::vector<float>{5, 6}));
}

TEST(CsvStream, BlocksAreOneTable) {
  TempDir dir;
  std::string text = "value,note,place\n";
  std::vector<float> expected;
  Strings ids;
  for (int i = 0; i < 200'000; ++i) {
    const std::string id = i % 7 == 0 ? "two\nlines, " + std::to_string(i) : "a note " + std::to_string(i);
    text += std::to_string(i) + ",\"" + id + "\"," + (i % 2 == 0 ? "bay" : "inland") + "\r\n";
    expected.insert(expected.end(), {i % 2 == 0 ? 1.F : 0.F, i % 2 == 0 ? 0.F : 1.F, static_cast<float>(i)});
    ids.push_back(id);
  }
  write_file(dir / "long.csv.gz", testing::gzip(text));
  const Read rows = read(dir / "long.csv.gz", kRooms, {"note"});
  EXPECT_GT(rows.blocks, 1);
  EXPECT_EQ(rows.features, expected);
  EXPECT_EQ(rows.ids, ids);
  write_file(dir / "bad.csv", text + "x,note,bay\n");
  const std::int64_t line = 2 + 200'000 + (200'000 + 6) / 7;
  expect_error([&] { read(dir / "bad.csv", kRooms, {"note"}); }, {"line " + std::to_string(line) + ", column 'value'", "found 'x'"});
  write_file(dir / "bytes.csv", text + "1,\xE9,bay\n");
  expect_error([&] { read(dir / "bytes.csv", kRooms, {"note"}); }, {"line " + std::to_string(line) + ": byte 0xe9 is not UTF-8"});
}

TEST(CsvStream, Utf16AndLatin1) {
  TempDir dir;
  std::string text = "\xFF\xFE";
  for (const char c : std::string("value\tplace\n3\tbay\n")) text += std::string(1, c) + '\0';
  write_file(dir / "sheet.txt", text);
  EXPECT_EQ(read(dir / "sheet.txt", kRooms).features, (std::vector<float>{1, 0, 3}));
}

TEST(CsvStream, ADamagedRecipeIsAnError) {
  DataNames model = kRooms;
  TempDir dir;
  write_file(dir / "new.csv", "value,place\n1,bay\n");
  for (const char* text : {"[1]", R"({"format": 1, "columns": 3})"}) {
    model.reading = text;
    expect_error([&] { read(dir / "new.csv", model); }, {"runs/a: how its table was read (csv_import) is damaged"});
  }
}

}  // namespace
}  // namespace lockstep
