#include "launch/bench/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/math/philox.h"

namespace lockstep {
namespace {

constexpr const char* kClassifier = R"(
name: classifier
data:
  train: {file: data/fashion_mnist.h5, group: train, rows: [0, 55000]}
model:
  - Input: {shape: [28, 28]}
  - Rescaling: {scale: 1/255}
  - Flatten
  - Dense: {units: 300, activation: relu}
  - Dense: {units: 100, activation: relu}
  - Dense: {units: 10, activation: softmax}
training:
  loss: sparse_categorical_crossentropy
  optimizer: {SGD: {learning_rate: 0.01}}
  metrics: [accuracy]
  batch_size: 32
)";

/// Grey levels where the model rescales, else numbers in [-1, 1); truth that fits the loss.
ArrayDataset drawn_rows(const RunConfig& config, std::int64_t rows) {
  Sequential model = config.make_model();
  model.compile(config.compile);  // builds it if it has an Input
  if (!model.built())
    throw Error(config.train.file + " does not exist and the model has no Input layer: rows cannot be drawn; give it an Input", kUsage);
  const Shape shape = model.input_shape();
  const bool grey = std::any_of(config.model.layers.begin(), config.model.layers.end(),
                                [](const LayerSpec& layer) { return std::holds_alternative<Rescaling>(layer); });
  const RandomStream stream(config.seed, RandomPurpose::split, 0);
  std::vector<float> features(static_cast<std::size_t>(rows * elements(shape)));
  for (std::size_t i = 0; i < features.size(); ++i) {
    const float value = uniform(stream.block(i / 4, 0)[i % 4]);
    features[i] = grey ? std::floor(value * 256) : value * 2 - 1;
  }
  const bool classes = takes_labels(config.compile.loss);
  const bool one_hot = !classes && has_classes(config.compile.loss);
  const std::int64_t width = model.output_width();
  std::vector<float> truth;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (classes) {
      truth.push_back(static_cast<float>(row % width));
      continue;
    }
    for (std::int64_t k = 0; k < width; ++k) truth.push_back(one_hot ? (k == row % width ? 1.F : 0.F) : static_cast<float>((row + k) % 2));
  }
  return {shape, std::move(features), std::move(truth)};
}

}  // namespace

const char* built_in_config() { return kClassifier; }

RunConfig bench_config(const std::string& file, const std::vector<std::string>& overrides, const World& world) {
  std::string text = kClassifier;
  world.agree([&] {
    if (world.rank() == 0 && !file.empty()) text = read_config_file(file);
  });
  text = world.broadcast(text);
  RunConfig config;
  world.agree([&] { config = parse_config(text, file.empty() ? "the built-in classifier" : file, overrides); });
  return config;
}

BenchData bench_data(const RunConfig& config, std::int64_t drawn, const World& world) {
  BenchData data;
  world.agree([&] {
    const std::string& file = config.train.file;
    const bool pattern = file.find_first_of("*?[") != std::string::npos;
    if (pattern || std::filesystem::exists(file)) {
      auto rows = std::make_unique<Hdf5Dataset>(file, config.train.group, config.train.options);
      data.description = std::to_string(rows->rows()) + " rows (" + rows->element_type() + ") of " + rows->description();
      data.file = rows.get();
      data.rows = std::move(rows);
    } else {
      data.rows = std::make_unique<ArrayDataset>(drawn_rows(config, drawn));
      data.description = std::to_string(drawn) + " drawn rows (float32); there is no " + file;
    }
  });
  return data;
}

std::string describe_widths(const Sequential& model) {
  std::string text = std::to_string(elements(model.input_shape()));
  for (const LayerProduct& product : model.products()) text += "-" + std::to_string(product.out);
  return text;
}

}  // namespace lockstep
