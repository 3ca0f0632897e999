#include "io/import/official_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/import/csv/csv.h"
#include "io/import/download.h"
#include "io/import/garments.h"
#include "io/import/idx.h"

namespace lockstep {
namespace {

constexpr const char* kFashionUrl = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
constexpr const char* kHousingUrl = "https://ndownloader.figshare.com/files/5976036";  // cal_housing.tgz, as in scikit-learn
constexpr std::int64_t kHousingRows = 20'640;

const std::array<OfficialFile, 4>& fashion_files() {  // checksums of zalandoresearch/fashion-mnist's README
  static const std::array<OfficialFile, 4> files{
      {{"train-images-idx3-ubyte.gz", 26'421'880, Digest::md5, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
       {"train-labels-idx1-ubyte.gz", 29'515, Digest::md5, "25c81989df183df01b3e8a0aad5dffbe"},
       {"t10k-images-idx3-ubyte.gz", 4'422'102, Digest::md5, "bef4ecab320f06d8554ea6380940ec79"},
       {"t10k-labels-idx1-ubyte.gz", 5'148, Digest::md5, "bb300cfdad3c16e7a12a480ee83cd310"}}};
  return files;
}

const std::array<OfficialFile, 3>& housing_files() {
  static const std::array<OfficialFile, 3> files{
      {{"cal_housing.tgz", 0, Digest::sha256, "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681"},
       {"cal_housing.data", 2'092'122, Digest::sha256, "d3d8a1a722ae78f91134862727d27a70b1415e7d512a89140406248687f4b902"},
       {"california_housing.csv", 1'895'154, Digest::sha256, "94ef369b909f5c725340b512b7c9a05c1550a554b6592d29303990e3ba521a1f"}}};
  return files;
}

struct Fetched {
  OfficialFile file;
  std::string content;
};

/// A URL that names one of the files, or is the official address of the archive.
Fetched fetch_housing_url(const std::string& url, const OfficialFile& file, const WorkProgressFactory& progress) {
  std::string content = download(url, progress(file.name));
  verify(file, content, url);
  return {file, std::move(content)};
}

Fetched fetch_housing(const std::string& from, const WorkProgressFactory& progress) {
  const auto& files = housing_files();
  if (from.empty()) return fetch_housing_url(kHousingUrl, files[0], progress);
  std::string tried;
  for (const OfficialFile& file : files) {
    if (is_url(from) && from.ends_with("/" + file.name)) return fetch_housing_url(from, file, progress);
  }
  for (const OfficialFile& file : files) {
    if (!is_url(from)) {
      if (!std::filesystem::exists(std::filesystem::path(from) / file.name)) continue;
      return {file, fetch_verified(file, from)};
    }
    const std::string url = from + (from.ends_with('/') ? "" : "/") + file.name;
    std::string content;
    try {
      content = download(url, progress(file.name));
    } catch (const Error& error) {  // not there: perhaps another form of it is
      tried += fmt::format("\n  {}", error.what());
      continue;
    }
    verify(file, content, url);
    return {file, std::move(content)};
  }
  throw Error(fmt::format("{}: found none of cal_housing.tgz, cal_housing.data, california_housing.csv{}", from, tried));
}

Table parse_housing(const Fetched& fetched) {
  if (fetched.file.name == "california_housing.csv")
    return read_csv(fetched.content, fetched.file.name, {.targets = {"MedHouseVal"}, .drop = {}});
  if (fetched.file.name == "cal_housing.data") return derive_california_housing(fetched.content, fetched.file.name);
  const std::string archive = gunzip(fetched.content, fetched.file.name);
  return derive_california_housing(tar_member(archive, "cal_housing.data", fetched.file.name), fetched.file.name);
}

}  // namespace

void fetch_fashion_mnist(Hdf5File& file, const std::string& from, const WorkProgressFactory& progress) {
  std::array<NamedIdx, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const OfficialFile& official = fashion_files()[i];
    const std::string content = fetch_verified(official, from.empty() ? kFashionUrl : from, progress(official.name));
    parts[i] = {parse_idx(gunzip(content, official.name), official.name), official.name};
  }
  const std::vector<std::string>& classes = fashion_mnist_class_names();
  write_idx(file, "train", parts[0], parts[1], classes.size());
  write_idx(file, "test", parts[2], parts[3], classes.size());
  DataNames names;
  names.class_names = classes;
  names.description = "Fashion-MNIST, (c) 2017 Zalando SE, MIT licence; Xiao, Rasul, Vollgraf, arXiv:1708.07747";
  write_names(file, names);
}

Table derive_california_housing(std::string_view cal_housing_data, const std::string& name) {
  const std::string headed = "longitude,latitude,age,rooms,bedrooms,population,households,income,value\n" + std::string(cal_housing_data);
  const Table original = read_csv(headed, name, {.targets = {"value"}, .drop = {}});
  Table table;
  table.feature_names = {"MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"};
  table.target_names = {"MedHouseVal"};
  table.rows = original.rows;
  for (std::int64_t row = 0; row < original.rows; ++row) {
    const float* x = original.x.data() + row * 8;  // longitude, latitude, age, rooms, bedrooms, population, households, income
    const double households = static_cast<double>(x[6]);
    if (households <= 0) throw Error(fmt::format("{}, line {}: expected at least one household", name, row + 1));
    const auto per_household = [&](float count) { return static_cast<float>(static_cast<double>(count) / households); };
    const std::array<float, 8> derived{x[7], x[2], per_household(x[3]), per_household(x[4]), x[5], per_household(x[5]), x[1], x[0]};
    table.x.insert(table.x.end(), derived.begin(), derived.end());
    table.y.push_back(static_cast<float>(static_cast<double>(original.y[static_cast<std::size_t>(row)]) / 100'000));
  }
  return table;
}

void fetch_california_housing(Hdf5File& file, const std::string& from, std::uint64_t seed, const WorkProgressFactory& progress) {
  const Fetched fetched = fetch_housing(from, progress);
  Table table = parse_housing(fetched);
  if (table.rows != kHousingRows) throw Error(fmt::format("{}: expected {} rows, found {}", fetched.file.name, kHousingRows, table.rows));
  table.description =
      "California housing, 1990 US census; Pace & Barry, Stat. & Prob. Letters 33 (1997) 291-297; features and units of scikit-learn";
  write_table(file, table, {{"train", 11'610}, {"valid", 3'870}, {"test", 5'160}}, seed);
}

}  // namespace lockstep
