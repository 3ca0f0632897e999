#include "io/import/official_data.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "io/data/data_file.h"
#include "io/data/data_summary.h"
#include "io/import/download.h"
#include "support/gzip.h"
#include "support/http_server.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::HttpServer;
using testing::TempDir;
using testing::write_file;

const OfficialFile kAbc{"abc.txt", 3, Digest::md5, "900150983cd24fb0d6963f7d28e17f72"};
const WorkProgressFactory kQuiet = [](const std::string&) { return WorkProgress{}; };

/// No proxy of the machine may stand between a test and 127.0.0.1.
class Environment : public ::testing::Environment {
  void SetUp() override { setenv("no_proxy", "127.0.0.1", 1); }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new Environment);

std::string data_folder(const std::string& name) {
  const char* data = std::getenv("LOCKSTEP_DATA");
  return data == nullptr ? "" : std::string(data) + "/" + name;
}

TEST(Download, FromAServerAFileUrlAndAFolder) {
  TempDir dir;
  write_file(dir / "abc.txt", "abc");
  const HttpServer server(
      {{"/abc.txt", {"abc"}}, {"/deep/abc.txt", {"", 0, "/abc.txt"}}, {"/evil/abc.txt", {"", 0, "file://" + (dir / "abc.txt")}}});
  double part = 0;
  EXPECT_EQ(fetch_verified(kAbc, server.url(), [&](double p) { part = p; }), "abc");
  EXPECT_EQ(part, 1);
  EXPECT_EQ(fetch_verified(kAbc, server.url() + "/deep/"), "abc");
  EXPECT_EQ(fetch_verified(kAbc, "file://" + dir.path()), "abc");
  EXPECT_EQ(fetch_verified(kAbc, dir.path()), "abc");
  expect_error([&] { fetch_verified(kAbc, server.url() + "/evil"); }, {"evil/abc.txt"});
  expect_error([&] { fetch_verified(kAbc, server.url() + "/none"); }, {"none/abc.txt", "404"});
  expect_error([&] { fetch_verified(kAbc, dir / "none"); }, {"none", "no such directory"});
  expect_error([&] { download("ftp://127.0.0.1/x"); }, {"ftp://"});
  expect_error([&] { download("http://127.0.0.1:1/x"); }, {"127.0.0.1:1/x"});
}

TEST(Download, DamagedAndTruncatedFilesAreFound) {
  TempDir dir;
  const HttpServer server({{"/bad/abc.txt", {"abd"}}, {"/half/abc.txt", {"ab"}}, {"/cut/abc.txt", {"ab", 3}}, {"/long/abc.txt", {"abcd"}}});
  expect_error([&] { fetch_verified(kAbc, server.url() + "/bad"); }, {"bad/abc.txt", "md5", kAbc.hex});
  expect_error([&] { fetch_verified(kAbc, server.url() + "/half"); }, {"half/abc.txt", "cut short", "2 of 3"});
  expect_error([&] { fetch_verified(kAbc, server.url() + "/cut"); }, {"cut/abc.txt", "cannot download"});
  expect_error([&] { fetch_verified(kAbc, server.url() + "/long"); }, {"long/abc.txt", "md5"});
  write_file(dir / "abc.txt", "ab");
  expect_error([&] { fetch_verified(kAbc, dir.path()); }, {"abc.txt", "cut short"});
}

/// A ustar archive of one header and content, by the format's own rules.
std::string tar_entry(const std::string& name, char kind, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  std::array<char, 13> size{};
  std::snprintf(size.data(), size.size(), "%011zo", content.size());
  put(0, name);
  put(124, size.data());
  put(148, "        ");
  header[156] = kind;
  put(257, "ustar");
  const unsigned sum =
      std::accumulate(header.begin(), header.end(), 0U, [](unsigned s, char c) { return s + static_cast<unsigned char>(c); });
  std::snprintf(size.data(), size.size(), "%06o", sum);
  put(148, std::string(size.data()) + '\0');
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST(Tar, FindsTheMemberAndRefusesDamage) {
  const std::string archive = tar_entry("Cal/", '5', "") + tar_entry("Cal/readme", '0', std::string(700, 'r')) +
                              tar_entry("Cal/x.data", '0', "1,2\n") + std::string(1024, '\0');
  EXPECT_EQ(tar_member(archive, "x.data", "a.tgz"), "1,2\n");
  EXPECT_EQ(tar_member(archive, "readme", "a.tgz"), std::string(700, 'r'));
  expect_error([&] { tar_member(archive, "data", "a.tgz"); }, {"a.tgz", "'data'"});
  expect_error([&] { tar_member(archive.substr(0, 1100), "x.data", "a.tgz"); }, {"a.tgz", "cut short", "readme"});
  std::string damaged = archive;
  damaged[3] = 'X';
  expect_error([&] { tar_member(damaged, "x.data", "a.tgz"); }, {"a.tgz", "checksum"});
}

TEST(CaliforniaHousing, DerivesTheEightFeatures) {
  const Table t = derive_california_housing("-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0\n", "c");
  ASSERT_EQ(t.rows, 1);
  EXPECT_EQ(t.x, (std::vector<float>{8.3252F, 41, 6.984126984126984F, 1.0238095238095237F, 322, 2.5555555555555554F, 37.88F, -122.23F}));
  EXPECT_EQ(t.y, std::vector<float>{4.526F});
  expect_error([] { derive_california_housing("1,2,3,4,5,6,0,8,9\n", "c"); }, {"c", "line 1", "household"});
}

TEST(CaliforniaHousing, DamagedFilesAreRefused) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "o.h5");
  expect_error([&] { fetch_california_housing(file, dir.path(), 42, kQuiet); }, {dir.path(), "cal_housing.data"});
  write_file(dir / "cal_housing.data", std::string(2'092'122, '1'));
  expect_error([&] { fetch_california_housing(file, dir.path(), 42, kQuiet); }, {"cal_housing.data", "sha256"});
  write_file(dir / "cal_housing.data", "-122.23,37.88");
  expect_error([&] { fetch_california_housing(file, dir.path(), 42, kQuiet); }, {"cal_housing.data", "cut short"});
  write_file(dir / "cal_housing.tgz", testing::gzip("x"));
  expect_error([&] { fetch_california_housing(file, dir.path(), 42, kQuiet); }, {"cal_housing.tgz", "sha256"});
  using Files = std::map<std::string, HttpServer::Reply>;
  const HttpServer server(Files{{"/cal_housing.data", {"short"}}});
  expect_error([&] { fetch_california_housing(file, server.url(), 42, kQuiet); }, {"cal_housing.data", "cut short"});
  expect_error([&] { fetch_california_housing(file, server.url() + "/cal_housing.data", 42, kQuiet); }, {"cal_housing.data", "cut short"});
  expect_error([&] { fetch_california_housing(file, server.url() + "/none", 42, kQuiet); }, {"none", "404"});
}

TEST(CaliforniaHousing, RealFilesInBothFormsGiveTheSameTable) {
  const std::string folder = data_folder("california-housing");
  if (folder.empty()) GTEST_SKIP() << "LOCKSTEP_DATA is not set: the real California housing files were not read";
  TempDir dir;
  const HttpServer server({{"/cal_housing.data", {read_file(folder + "/cal_housing.data")}},
                           {"/csv/california_housing.csv", {read_file(folder + "/california_housing.csv")}}});
  std::vector<std::vector<float>> rows;
  int index = 0;
  for (const std::string& from : {folder, server.url(), server.url() + "/csv"}) {
    Hdf5File file = Hdf5File::create(dir / (std::to_string(index++) + ".h5"));
    fetch_california_housing(file, from, 42, kQuiet);
    EXPECT_EQ(file.info("/train/x").shape, (std::vector<std::int64_t>{11610, 8}));
    EXPECT_EQ(file.info("/valid/x").shape, (std::vector<std::int64_t>{3870, 8}));
    EXPECT_EQ(file.info("/test/y").shape, std::vector<std::int64_t>{5160});
    std::vector<float> all;
    for (const char* name : {"/train/x", "/valid/x", "/test/x", "/train/y", "/valid/y", "/test/y"}) {
      std::vector<float> part(static_cast<std::size_t>(file.info(name).rows() * file.info(name).row_elements()));
      file.read_rows<float>(name, 0, file.info(name).rows(), part);
      all.insert(all.end(), part.begin(), part.end());
    }
    rows.push_back(all);
  }
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_EQ(rows[0], rows[2]);
  double targets = 0;
  for (std::size_t i = 20640UL * 8; i < rows[0].size(); ++i) targets += static_cast<double>(rows[0][i]);
  EXPECT_NEAR(targets / 20640, 2.068558169089147, 1e-6);  // scikit-learn's description: mean of MedHouseVal
}

TEST(FashionMnist, DamagedFilesAreRefused) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "o.h5");
  write_file(dir / "train-images-idx3-ubyte.gz", std::string(26'421'880, 'x'));
  expect_error([&] { fetch_fashion_mnist(file, dir.path(), kQuiet); },
               {"train-images-idx3-ubyte.gz", "md5", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"});
  write_file(dir / "train-images-idx3-ubyte.gz", "x");
  expect_error([&] { fetch_fashion_mnist(file, dir.path(), kQuiet); }, {"train-images-idx3-ubyte.gz", "cut short", "1 of 26421880"});
}

TEST(FashionMnist, RealFilesFromAServerAndWithOneByteChanged) {
  const std::string folder = data_folder("fashion-mnist");
  if (folder.empty()) GTEST_SKIP() << "LOCKSTEP_DATA is not set: the real Fashion-MNIST files were not read";
  std::map<std::string, HttpServer::Reply> files;
  for (const char* name :
       {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}) {
    const std::string content = read_file(folder + "/" + name);
    files[std::string("/") + name] = {content};
    files[std::string("/bad/") + name] = {content};
    files[std::string("/cut/") + name] = {content};
  }
  files["/bad/t10k-labels-idx1-ubyte.gz"].body[3000] ^= 1;
  std::string& cut = files["/cut/train-labels-idx1-ubyte.gz"].body;
  cut.resize(cut.size() / 2);
  const HttpServer server(files);
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "f.h5");
  fetch_fashion_mnist(file, server.url(), kQuiet);
  EXPECT_EQ(file.info("/train/x").shape, (std::vector<std::int64_t>{60000, 28, 28}));
  EXPECT_EQ(label_histogram(file, "/test/y"), std::vector<std::int64_t>(10, 1000));
  EXPECT_EQ(read_names(file).class_names.at(9), "Ankle boot");
  Hdf5File other = Hdf5File::create(dir / "g.h5");
  expect_error([&] { fetch_fashion_mnist(other, server.url() + "/bad", kQuiet); }, {"bad/t10k-labels-idx1-ubyte.gz", "md5"});
  expect_error([&] { fetch_fashion_mnist(other, server.url() + "/cut", kQuiet); },
               {"cut/train-labels-idx1-ubyte.gz", "cut short", "of 29515"});
}

}  // namespace
}  // namespace lockstep
