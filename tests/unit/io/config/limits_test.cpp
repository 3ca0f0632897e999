// Numbers and nesting beyond every limit: an error that names what is too large, never an overflow, a crash or a bare std::bad_alloc.
#include <gtest/gtest.h>

#include <limits>

#include "core/data/sampler.h"
#include "core/training/sequential.h"
#include "io/config/config.h"
#include "io/keras/config_reader.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

const std::string kConfig =
    "data:\n  train: {file: none.h5}\nmodel:\n  - Input: {shape: [4]}\n  - Dense: {units: 3}\n  - Dense: {units: 2, activation: softmax}\n"
    "training:\n  loss: sparse_categorical_crossentropy\n";

void expect_refused(const std::string& set, const std::vector<std::string>& parts) {
  expect_error([&] { parse_config(kConfig, "c.yaml", {set}); }, parts);
}

TEST(Limits, AConfigurationNamesTheKeyThatIsTooLarge) {
  expect_refused("training.shards=9223372036854775807", {"'training.shards'", "at most 1048576"});
  expect_refused("training.shards=1000000000000", {"'training.shards'"});
  expect_refused("model.1.Dense.units=9223372036854775807", {"'model.1.Dense.units'", "in [1, 2147483647]"});
  expect_refused("model.1.Dense.units=4294967296", {"'model.1.Dense.units'"});
  expect_refused("model.0.Input.shape=[4294967296,4294967296]", {"'model.0.Input.shape'", "2147483647"});
  for (const char* shape : {"[0]", "[28, 0]", "[-1, 28]", "[-2, -3]"})
    expect_refused(std::string("model.0.Input.shape=") + shape, {"'model.0.Input.shape'", "at least 1"});
  for (const char* shape : {"{a: 1}", "[]", "28"})
    expect_refused(std::string("model.0.Input.shape=") + shape, {"'model.0.Input.shape'", "list"});
  expect_refused("model.0.Input.shape=[65536,65536]", {"'model.0.Input.shape'", "2147483647"});
  EXPECT_NO_THROW(parse_config(kConfig, "c.yaml", {"training.shards=1048576", "model.1.Dense.units=2147483647"}));
}

TEST(Limits, SoDoTheLayersThemselves) {
  const auto build = [](Shape input, std::int64_t units) { Sequential{Input{input}, Dense{.units = units, .name = "wide"}}.build(input); };
  expect_error([&] { build({784}, kLargest); }, {"layer 'wide' (Dense)", "units", "2147483647", "9223372036854775807"});
  expect_error([&] { build({784}, 23'000'000'000'000'000); }, {"layer 'wide' (Dense)", "units"});
  expect_error([&] { build({4'294'967'296, 4'294'967'296}, 1); }, {"(None, 4294967296, 4294967296)", "2147483647"});
  expect_error([&] { build({1 << 20, 1 << 20}, 1); }, {"(None, 1048576, 1048576)", "2147483647"});
  expect_error([&] { build({1 << 20, 1}, 1 << 20); }, {"layer 'wide' (Dense)", "(None, 1048576, 1048576)"});
  expect_error([&] { build({2'147'483'647}, 2'147'483'647); }, {"layer 'wide' (Dense)", "1099511627776"});
  expect_error(
      [&] {
        Sequential({Input{{2'147'483'647}}, Dense{.units = 512}, Dense{.units = 2'147'483'647, .name = "last"}}).build({2'147'483'647});
      },
      {"1099511627776"});
}

TEST(Limits, AndTheSampler) {
  expect_error([] { Sampler(100, 32, kLargest, 0, true); }, {"shards", "1048576"});
  expect_error([] { Sampler(100, kLargest, 0, 0, true); }, {"batch_size", "1073741824"});
  EXPECT_EQ(Sampler(100, 32, 1 << 20, 0, true).slots(), 1 << 20);
}

TEST(Limits, WhatDoesNotFitIntoMemoryIsToldWithItsSize) {
  expect_error(
      [] {
        Sequential{Input{{100}}, Dense{.units = 2'000'000'000}}.build({100});
      },
      {"a model of 202000000000 parameters", "needs about 752.5 GiB"});
  Sequential model{Input{{784}}, Dense{.units = 10, .activation = softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  const ArrayDataset data({784}, std::vector<float>(784 * 4), std::vector<float>(4));
  expect_error([&] { model.fit(data, {.batch_size = 1 << 30, .verbose = 0}); },
               {"a model of 7850 parameters and batch 1073741824 needs about ", " GiB on this rank"});
  EXPECT_NO_THROW(model.fit(data, {.batch_size = 4, .verbose = 0}));
}

// --- config.json of a .keras file ---

TEST(Limits, DeeplyNestedJsonIsRefused) {
  expect_error([] { model_from_config("deep.keras: config.json", std::string(200'000, '[')); },
               {"deep.keras: config.json", "nested", "100"});
  expect_error([] { model_from_config("deep.keras: config.json", std::string(200'000, '[') + std::string(200'000, ']')); },
               {"deep.keras: config.json", "nested"});
}

TEST(Limits, AKerasFileIsNamedWithTheLayerThatIsTooLarge) {
  const std::string json = R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "i"}},
    {"class_name": "Dense", "config": {"name": "d", "units": 4611686018427387904}}]}})";
  expect_error([&] { model_from_config("wide.keras: config.json", json); },
               {"wide.keras: config.json: ", "layer 'd' (Dense)", "4611686018427387904"});
}

}  // namespace
}  // namespace lockstep
