// The direction of includes, cluster <- core <- io <- launch <- tests and inside core, and the libraries that no header may show.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace lockstep::testing {
namespace {

const std::vector<std::string> kFolders = {"cluster", "core", "io", "launch", "tests"};  // each may include itself and those before it

/// The places that own a library: only their .cpp files (and the tests') include it.
const std::multimap<std::string, std::string> kOwners = {{"mpi", "cluster/"},
                                                         {"grpc", "cluster/"},
                                                         {"onnx", "io/onnx/"},
                                                         {"dnnl", "core/math/onednn/"},
                                                         {"hdf5", "io/"},
                                                         {"CLI11", "launch/command_line.cpp"},
                                                         {"nlohmann", "cluster/json.cpp"}};

/// The one header that shows a library, to the source files of its own folder.
const std::string kInternal = "core/math/onednn/api.h";

std::string library_of(const std::string& header) {
  if (header == kInternal) return "dnnl";
  static const std::vector<std::pair<std::regex, std::string>> names = {{std::regex(R"(mpi\.h|mpi-ext\.h)"), "mpi"},
                                                                        {std::regex(R"(io/onnx/.*\.pb\.h)"), "onnx"},
                                                                        {std::regex(R"(grpc.*|google/protobuf.*|.*\.pb\.h)"), "grpc"},
                                                                        {std::regex(R"((oneapi/dnnl/)?dnnl.*)"), "dnnl"},
                                                                        {std::regex(R"(hdf5.*|H5.*)"), "hdf5"},
                                                                        {std::regex(R"(CLI/.*)"), "CLI11"},
                                                                        {std::regex(R"(nlohmann/.*)"), "nlohmann"}};
  for (const auto& [pattern, library] : names) {
    if (std::regex_match(header, pattern)) return library;
  }
  return "";
}

std::size_t folder_rank(const std::string& path) {
  return static_cast<std::size_t>(std::find(kFolders.begin(), kFolders.end(), path.substr(0, path.find('/'))) - kFolders.begin());
}

/// The floors of core, each may include itself and those before it.
const std::vector<std::string> kTower = {"math", "data", "compile", "layers", "network", "exchange", "training"};

/// The floor of a file of core, "core/math/gemm/gemm.h"; nothing of another file.
std::optional<std::size_t> floor_of(const std::string& path) {
  if (!path.starts_with("core/")) return {};
  const std::string room = path.substr(5, path.find('/', 5) - 5);
  return static_cast<std::size_t>(std::find(kTower.begin(), kTower.end(), room) - kTower.begin());
}

/// What is wrong with one include of a file (`path` and `header` relative to the root); empty if nothing is.
std::string wrong_include(const std::string& path, const std::string& header, bool quoted) {
  const std::string library = library_of(header), folder = kFolders.at(folder_rank(path));
  if (!library.empty() && !path.ends_with(".cpp") && path != kInternal) return "a header includes " + header;
  const auto [first, last] = kOwners.equal_range(library);
  const bool owned = std::any_of(first, last, [&](const auto& owner) { return path.starts_with(owner.second); });
  if (!library.empty() && folder != "tests" && !owned) return header + " belongs to " + first->second;
  if (!quoted) return "";
  if (folder == "tests" && header.starts_with("support/")) return "";
  const std::size_t rank = folder_rank(header);
  if (rank == kFolders.size()) return "\"" + header + "\" does not begin with a folder of the project";
  if (rank > folder_rank(path)) return folder + " includes upward: " + header;
  const auto floor = floor_of(path), below = floor_of(header);
  if (floor == kTower.size()) return "is on no floor of core's tower";
  if (floor && below > floor) return "core/" + kTower[*floor] + " includes upward: " + header;
  return "";
}

std::vector<std::string> wrong_includes(const std::string& path, std::istream& text) {
  static const std::regex include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::vector<std::string> wrong;
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    if (!std::regex_match(line, match, include)) continue;
    const std::string what = wrong_include(path, match[2], match[1] == "\"");
    if (!what.empty()) wrong.push_back(path + ": " + what);
  }
  return wrong;
}

TEST(Includes, RunDownwardAndHideTheLibraries) {
  const char* const source = std::getenv("LOCKSTEP_SOURCE");
  ASSERT_NE(source, nullptr) << "LOCKSTEP_SOURCE must name the checkout";
  for (const std::string& folder : kFolders) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(source) / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      ++files;
      std::ifstream text(entry.path());
      for (const std::string& wrong : wrong_includes(std::filesystem::relative(entry.path(), source), text)) ADD_FAILURE() << wrong;
    }
    EXPECT_GE(files, 10U) << "in " << folder;
  }
}

TEST(Includes, WhatIsForbiddenIsFound) {
  EXPECT_NE(wrong_include("cluster/world.cpp", "core/data/shape.h", true), "");
  EXPECT_NE(wrong_include("io/config/config.h", "launch/commands.h", true), "");
  EXPECT_NE(wrong_include("launch/train/train.cpp", "support/throws.h", true), "");
  EXPECT_NE(wrong_include("core/layers/op.h", "shape.h", true), "");
  EXPECT_NE(wrong_include("cluster/world.h", "mpi.h", false), "");
  EXPECT_NE(wrong_include("tests/support/mpi_world.h", "mpi.h", false), "");
  EXPECT_NE(wrong_include("cluster/status/status.h", "cluster/coordinator/coordinator.grpc.pb.h", true), "");
  EXPECT_NE(wrong_include("io/onnx/graph.h", "io/onnx/onnx.pb.h", true), "");
  EXPECT_NE(wrong_include("io/keras/weights.cpp", "io/onnx/onnx.pb.h", true), "");
  EXPECT_EQ(wrong_include("io/onnx/graph.cpp", "io/onnx/onnx.pb.h", true), "");
  EXPECT_NE(wrong_include("core/layers/op.h", "oneapi/dnnl/dnnl.hpp", false), "");
  EXPECT_NE(wrong_include("core/math/onednn/convolution.h", "core/math/onednn/api.h", true), "");
  EXPECT_NE(wrong_include("core/layers/dense.cpp", "core/math/onednn/api.h", true), "");
  EXPECT_EQ(wrong_include("core/math/onednn/convolution.cpp", "core/math/onednn/api.h", true), "");
  EXPECT_EQ(wrong_include("core/math/onednn/api.h", "oneapi/dnnl/dnnl.hpp", false), "");
  EXPECT_NE(wrong_include("io/hdf5/handle.h", "H5Ipublic.h", false), "");
  EXPECT_NE(wrong_include("core/training/fit.cpp", "mpi.h", false), "");
  EXPECT_NE(wrong_include("core/exchange/gradient_blocks.h", "core/training/sequential.h", true), "");
  EXPECT_NE(wrong_include("core/data/sampler.cpp", "core/compile/losses/losses.h", true), "");
  EXPECT_NE(wrong_include("core/elsewhere/file.cpp", "core/math/gemm/gemm.h", true), "");
  EXPECT_EQ(wrong_include("core/training/fit.cpp", "core/exchange/gradient_blocks.h", true), "");
  EXPECT_EQ(wrong_include("core/math/gemm/gemm.cpp", "cluster/world.h", true), "");
  EXPECT_NE(wrong_include("launch/train/train.cpp", "CLI/CLI.hpp", false), "");
  EXPECT_NE(wrong_include("launch/command_line.h", "CLI/App.hpp", false), "");
  EXPECT_EQ(wrong_include("launch/command_line.cpp", "CLI/CLI.hpp", false), "");
  EXPECT_EQ(wrong_include("io/run/versions.cpp", "hdf5.h", false), "");
  EXPECT_EQ(wrong_include("tests/mpi/fit_test.cpp", "core/data/shape.h", true), "");
}

}  // namespace
}  // namespace lockstep::testing
