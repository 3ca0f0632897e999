#include "io/import/idx.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "io/data/data_file.h"
#include "io/files/file_bytes.h"
#include "support/gzip.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::gzip;
using testing::TempDir;
using testing::write_file;
using namespace std::string_literals;

const std::string kImages = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03"s + "abcdef";  // (2, 1, 3) uint8
const std::string kLabels = "\0\0\x08\x01\0\0\0\x02\x07\x01"s;

TEST(Gunzip, InflatesMembersAndFindsDamage) {
  const std::string text(100'000, 'q');
  const std::string packed = gzip(text);
  EXPECT_EQ(gunzip(packed, "f"), text);
  EXPECT_EQ(gunzip(packed + gzip("tail"), "f"), text + "tail");
  expect_error([&] { gunzip(packed.substr(0, packed.size() - 3), "f.gz"); }, {"f.gz", "cut short"});
  expect_error([&] { gunzip(packed.substr(0, 5), "f.gz"); }, {"f.gz", "cut short"});
  expect_error([&] { gunzip(packed + "junk", "f.gz"); }, {"f.gz", "damaged"});
  std::string wrong = packed;
  wrong[wrong.size() - 6] = static_cast<char>(wrong[wrong.size() - 6] ^ 1);  // in the CRC
  expect_error([&] { gunzip(wrong, "f.gz"); }, {"f.gz", "damaged"});
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(hex_digest(Digest::md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");                                     // RFC 1321
  EXPECT_EQ(hex_digest(Digest::sha256, "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4
}

TEST(Idx, TurnsElementsIntoThisMachinesOrder) {
  const IdxArray images = parse_idx(kImages, "i");
  EXPECT_EQ(images.shape, (std::vector<std::int64_t>{2, 1, 3}));
  EXPECT_EQ(static_cast<char>(images.bytes[5]), 'f');
  const IdxArray shorts = parse_idx("\0\0\x0B\x01\0\0\0\x02\x01\x02\xFF\xFE"s, "s");
  EXPECT_EQ(idx_labels(parse_idx("\0\0\x0B\x01\0\0\0\x01\x01\x02"s, "s"), 0, "s"), std::vector<std::int64_t>{258});
  std::array<std::int16_t, 2> values{};
  std::memcpy(values.data(), shorts.bytes.data(), 4);
  EXPECT_EQ(values[1], -2);
  const IdxArray number = parse_idx("\0\0\x0D\x01\0\0\0\x01\x3F\x80\0\0"s, "f");
  float one = 0;
  std::memcpy(&one, number.bytes.data(), 4);
  EXPECT_EQ(one, 1.0F);
  EXPECT_EQ(idx_labels(parse_idx("\0\0\x0C\x01\0\0\0\x01\0\x01\0\0"s, "s"), 0, "s"), std::vector<std::int64_t>{65536});
}

TEST(Idx, MalformedFilesAreErrors) {
  expect_error([] { parse_idx("", "a"); }, {"a", "not an idx file"});
  expect_error([] { parse_idx("\1\0\x08\x01\0\0\0\0"s, "a"); }, {"a", "zero bytes"});
  expect_error([] { parse_idx("\0\0\x0A\x01\0\0\0\0"s, "a"); }, {"a", "0x0a"});
  expect_error([] { parse_idx("\0\0\x08\0"s, "a"); }, {"a", "0 axes"});
  expect_error([] { parse_idx("\0\0\x08\xFF"s, "a"); }, {"a", "255 axes"});
  expect_error([] { parse_idx("\0\0\x08\x03\0\0\0\x02"s, "a"); }, {"a", "cut short"});
  expect_error([] { parse_idx(kImages.substr(0, kImages.size() - 1), "a"); }, {"a", "cut short", "(2, 1, 3)", "6 bytes", "found 5"});
  expect_error([] { parse_idx(kImages + "x", "a"); }, {"a", "trailing", "found 7"});
  expect_error([] { parse_idx("\0\0\x0E\x08"s + std::string(32, '\xFF'), "a"); }, {"a", "beyond any memory"});
  expect_error([] { idx_labels(parse_idx(kImages, "a"), 0, "a"); }, {"a", "labels", "(2, 1, 3)"});
  expect_error([] { idx_labels(parse_idx(kLabels, "a"), 7, "a"); }, {"a", "label 7", "row 0", "0 to 6"});
  EXPECT_EQ(idx_labels(parse_idx("\0\0\x08\x01\0\0\0\x02\x1A\x01"s, "s"), 26, "s", 1), (std::vector<std::int64_t>{25, 0}));
  expect_error([] { idx_labels(parse_idx("\0\0\x08\x01\0\0\0\x01\x1A"s, "a"), 26, "a"); }, {"label 26", "--first-label 1"});
  expect_error([] { idx_labels(parse_idx("\0\0\x08\x01\0\0\0\x01\0"s, "a"), 26, "a", 1); }, {"label 0", "expected 1 to 26"});
  expect_error([] { idx_labels(parse_idx("\0\0\x09\x01\0\0\0\x01\xFF"s, "a"), 0, "a"); }, {"a", "label -1"});
}

TEST(Idx, ImportsPairsPlainAndGzipped) {
  TempDir dir;
  write_file(dir / "i", kImages);
  write_file(dir / "l.gz", gzip(kLabels));
  {
    Hdf5File file = Hdf5File::create(dir / "o.h5");
    import_idx(file, {{"train", dir / "i", dir / "l.gz"}, {"test", dir / "i", dir / "l.gz"}}, {});
  }
  const Hdf5File file = Hdf5File::open(dir / "o.h5");
  EXPECT_EQ(file.datasets(), (std::vector<std::string>{"/test/x", "/test/y", "/train/x", "/train/y"}));
  EXPECT_EQ(file.info("/test/x").shape, (std::vector<std::int64_t>{2, 1, 3}));
  std::array<std::int64_t, 2> labels{};
  file.read_rows<std::int64_t>("/train/y", 0, 2, labels);
  EXPECT_EQ(labels, (std::array<std::int64_t, 2>{7, 1}));
  write_file(dir / "l3", "\0\0\x08\x01\0\0\0\x03\x01\x01\x01"s);
  Hdf5File out = Hdf5File::create(dir / "bad.h5");
  expect_error([&] { import_idx(out, {{"train", dir / "i", dir / "l3"}}, {}); }, {"l3 has 3 labels", "2 images"});
  expect_error([&] { import_idx(out, {{"train", dir / "l3", dir / "i"}}, {}); }, {"l3", "images first"});
  expect_error([&] { import_idx(out, {{"train", dir / "none", dir / "l3"}}, {}); }, {"none", "No such file"});
  expect_error([&] { import_idx(out, {{"a", dir / "i", dir / "l.gz"}, {"a", dir / "i", dir / "l.gz"}}, {}); }, {"'a'", "twice"});
}

TEST(Idx, RealFashionMnist) {
  const char* data = std::getenv("LOCKSTEP_DATA");
  if (data == nullptr) GTEST_SKIP() << "LOCKSTEP_DATA is not set: the real Fashion-MNIST files were not read";
  const std::string folder = std::string(data) + "/fashion-mnist/t10k-";
  const IdxArray images = read_idx(folder + "images-idx3-ubyte.gz");
  EXPECT_EQ(images.shape, (std::vector<std::int64_t>{10000, 28, 28}));
  const std::vector<std::int64_t> labels = idx_labels(read_idx(folder + "labels-idx1-ubyte.gz"), 10, "labels");
  EXPECT_EQ((std::vector<std::int64_t>{labels[0], labels[1], labels[2]}),
            (std::vector<std::int64_t>{9, 2, 1}));  // ankle boot, pullover, trouser
}

}  // namespace
}  // namespace lockstep
