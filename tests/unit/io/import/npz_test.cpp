#include "io/import/npz.h"

#include <gtest/gtest.h>

#include <cstring>

#include "io/data/data_file.h"
#include "support/import/npz.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::npy;
using testing::npz;
using namespace std::string_literals;
using Shape = std::vector<std::int64_t>;

template <class T>
std::vector<T> values(const NpyArray& array) {
  std::vector<T> result(array.bytes.size() / sizeof(T));
  std::memcpy(result.data(), array.bytes.data(), array.bytes.size());
  return result;
}

TEST(Npy, TypesOrdersAndShapes) {
  const NpyArray bytes = parse_npy(npy("|u1", "(2, 3)", "abcdef"), "f.npy");
  EXPECT_EQ(bytes.type, ElementType::u8);
  EXPECT_EQ(bytes.shape, (Shape{2, 3}));
  EXPECT_EQ(values<char>(bytes), (std::vector<char>{'a', 'b', 'c', 'd', 'e', 'f'}));
  EXPECT_EQ(values<std::int16_t>(parse_npy(npy(">i2", "(2,)", "\1\2\0\3"s), "f.npy")), (std::vector<std::int16_t>{0x102, 3}));
  EXPECT_EQ(values<char>(parse_npy(npy("|u1", "(2, 3)", "adbecf", true), "f.npy")), values<char>(bytes));
  EXPECT_EQ(values<char>(parse_npy(npy("|u1", "(2, 2, 2)", "aecgbfdh", true), "f.npy")),
            (std::vector<char>{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}));
  EXPECT_EQ(parse_npy(npy("|b1", "(1,)", "\1"), "f.npy").type, ElementType::u8);
  EXPECT_EQ(parse_npy(npy("<f2", "()", "ab"), "f.npy").shape, Shape{});
  EXPECT_EQ(parse_npy(npy("|S3", "(2,)", "no\0yes"s), "f.npy").texts, (std::vector<std::string>{"no", "yes"}));
  EXPECT_EQ(parse_npy(npy("<U2", "(1,)", "\xE9\0\0\0\x00\xF6\x01\0"s), "f.npy").texts,
            (std::vector<std::string>{"\xC3\xA9\xF0\x9F\x98\x80"}));
  EXPECT_EQ(parse_npy(npy(">U1", "(1,)", "\0\0\0a"s), "f.npy").texts, std::vector<std::string>{"a"});
}

TEST(Npy, WhatIsNoArrayOfNumbersIsRefused) {
  expect_error([] { parse_npy("PK\3\4 and more", "f.npy"); }, {"f.npy", "not an npy file"});
  expect_error([] { parse_npy(npy("|O", "(1,)", "x"), "f.npy"); }, {"objects"});
  expect_error([] { parse_npy(npy("<c8", "(1,)", "12345678"), "f.npy"); }, {"'<c8'", "astype"});
  expect_error([] { parse_npy(npy("<M8[ns]", "(1,)", "12345678"), "f.npy"); }, {"'<M8[ns]'"});
  expect_error([] { parse_npy(npy("<i4", "(2,)", "1234567"), "f.npy"); }, {"cut short", "8 bytes", "found 7"});
  expect_error([] { parse_npy(npy("<i4", "(1,)", "12345"), "f.npy"); }, {"trailing"});
  expect_error([] { parse_npy(npy("<i4", "(4611686018427387904, 4)", ""), "f.npy"); }, {"cut short"});
  expect_error([] { parse_npy(npy("<i4", "(1, x)", "1234"), "f.npy"); }, {"header is damaged", "shape"});
  expect_error([] { parse_npy(npy("<i4", "(-1,)", "1234"), "f.npy"); }, {"shape"});
  expect_error([] { parse_npy(npy("<i4", "(1,)", "1234").substr(0, 40), "f.npy"); }, {"cut short"});
}

TEST(Npz, TheUsualNamesAreTheSplits) {
  const std::string x = npy("|u1", "(2, 2)", "abcd"), y = npy("<i8", "(2,)", "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s);
  for (const bool compressed : {false, true}) {
    const auto splits = read_npz(npz({{"x_train", x}, {"y_train", y}, {"x_test", x}, {"y_test", y}}, compressed), "f.npz", {}).splits;
    ASSERT_EQ(splits.size(), 2U);
    EXPECT_EQ(splits[0].split, "train");
    EXPECT_EQ(splits[1].split, "test");
    EXPECT_EQ(values<char>(splits[1].features), (std::vector<char>{'a', 'b', 'c', 'd'}));
  }
  EXPECT_EQ(read_npz(npz({{"X", x}, {"y", y}}, false), "f.npz", {}).splits.at(0).split, "train");
  const std::string odd = npz({{"images", x}, {"labels", y}}, false);
  expect_error([&] { read_npz(odd, "f.npz", {}); }, {"images, labels", "--arrays"});
  EXPECT_EQ(read_npz(odd, "f.npz", {"valid=images,labels"}).splits.at(0).split, "valid");
  expect_error([&] { read_npz(odd, "f.npz", {"valid=images,label"}); }, {"'label'", "images, labels"});
  expect_error([&] { read_npz(odd, "f.npz", {"images"}); }, {"SPLIT=FEATURES,TARGETS"});
  expect_error([&] { read_npz(odd.substr(0, odd.size() - 30), "f.npz", {}); }, {"f.npz", "expected an .npz file"});
  std::string damaged = odd;
  damaged[damaged.find("abcd")] = 'x';
  expect_error([&] { read_npz(damaged, "f.npz", {"train=images,labels"}); }, {"images.npy", "damaged"});
}

TEST(Npz, FeaturesWithoutTargetsAreRead) {
  const std::string x = npy("|u1", "(2, 2)", "abcd"), y = npy("|u1", "(2,)", "ab");
  const NpzContent content = read_npz(npz({{"x_train", x}, {"y_train", y}, {"x_test", x}, {"ids", y}}, false), "f.npz", {});
  ASSERT_EQ(content.splits.size(), 2U);
  EXPECT_TRUE(content.splits[1].truth_name.empty());
  EXPECT_EQ(content.unused, std::vector<std::string>{"ids"});
  EXPECT_TRUE(read_npz(npz({{"images", x}}, false), "f.npz", {"test=images"}).splits.at(0).truth_name.empty());
  const testing::TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "d.h5");
  write_npy(file, content.splits, {});
  EXPECT_TRUE(file.exists("/test/x"));
  EXPECT_FALSE(file.exists("/test/y"));
}

TEST(Npz, LabelsMayBeginWithOne) {
  const testing::TempDir dir;
  const NpyArray x = parse_npy(npy("|u1", "(2,)", "ab"), "x.npy"), y = parse_npy(npy("|u1", "(2,)", "\x1A\1"s), "y.npy");
  Hdf5File file = Hdf5File::create(dir / "d.h5");
  write_npy(file, {{"train", x, y, "x", "y"}}, {}, 1);
  std::vector<std::int64_t> labels(2);
  file.read_rows<std::int64_t>("/train/y", 0, 2, labels);
  EXPECT_EQ(labels, (std::vector<std::int64_t>{25, 0}));
  expect_error([&] { write_npy(file, {{"test", x, y, "x", "y.npy"}}, {}, 2); }, {"y.npy", "row 1", "--first-label 2"});
}

TEST(Npz, ArraysBecomeADataFile) {
  const testing::TempDir dir;
  const NpyArray x = parse_npy(npy("|u1", "(2,)", "ab"), "x.npy"), words = parse_npy(npy("|S3", "(2,)", "yesno\0"s), "y.npy"),
                 more = parse_npy(npy("|S3", "(2,)", "no\0may"s), "y.npy");
  Hdf5File file = Hdf5File::create(dir / "d.h5");
  write_npy(file, {{"train", x, words, "x", "y"}, {"test", x, more, "x", "y"}}, {});
  EXPECT_EQ(read_names(file).class_names, (std::vector<std::string>{"may", "no", "yes"}));
  std::vector<std::int64_t> labels(2);
  file.read_rows<std::int64_t>("/test/y", 0, 2, labels);
  EXPECT_EQ(labels, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(file.info("/train/x").shape, (Shape{2, 1}));
  const NpyArray three = parse_npy(npy("|u1", "(3,)", "abc"), "y.npy");
  expect_error([&] { write_npy(file, {{"a", x, three, "x.npy", "y.npy"}}, {}); }, {"y.npy has 3 rows", "x.npy has 2"});
  expect_error([&] { write_npy(file, {{"a", words, x, "x.npy", "y.npy"}}, {}); }, {"x.npy", "strings"});
  expect_error([&] { write_npy(file, {{"a", x, x, "x", "y"}, {"a", x, x, "x", "y"}}, {}); }, {"'a'", "twice"});
}

TEST(NumpyRows, GivesFeaturesAndIdsSomeAtATime) {
  const testing::TempDir dir;
  testing::write_file(dir / "new.npz", npz({{"images", npy("|u1", "(3, 2, 1)", "\1\2\3\4\5\6")},
                                            {"y", npy("|u1", "(3,)", "abc")},
                                            {"id", npy("|S2", "(3,)", "q\0r\0s2"s)},
                                            {"n", npy("<i8", "(3,)", "\1\0\0\0\0\0\0\x40\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"s)}},
                                           true));
  NumpyRows rows(dir / "new.npz", "", {"id", "n"});
  EXPECT_EQ(rows.note(), (dir / "new.npz") + ": rows of array 'images'");
  std::vector<float> features;
  std::vector<std::vector<std::string>> ids;
  EXPECT_EQ(rows.next(2, features, ids), 2);
  EXPECT_EQ(features, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(ids, (std::vector<std::vector<std::string>>{{"q", "r"}, {"4611686018427387905", "2"}}));
  EXPECT_EQ(rows.next(2, features, ids), 1);
  EXPECT_EQ(features, (std::vector<float>{5, 6}));
  EXPECT_EQ(ids[0], std::vector<std::string>{"s2"});
  EXPECT_EQ(rows.next(2, features, ids), 0);
  expect_error([&] { NumpyRows(dir / "new.npz", "", {}); }, {"its arrays are: id, images, n, y; name the one to take: --group ARRAY"});
  expect_error([&] { NumpyRows(dir / "new.npz", "images", {"images"}); }, {"array 'images': expected one value for each of the 3 rows"});
  expect_error([&] { NumpyRows(dir / "new.npz", "id", {}); }, {"strings; expected numbers"});
  testing::write_file(dir / "new.npy", npy("|u1", "(1, 2)", "\7\x08"));
  EXPECT_EQ(NumpyRows(dir / "new.npy", "", {}).next(5, features, ids), 1);
  EXPECT_EQ(features, (std::vector<float>{7, 8}));
  expect_error([&] { NumpyRows(dir / "new.npy", "", {"id"}); }, {"holds a single array"});
}

}  // namespace
}  // namespace lockstep
