// What a configuration, or a program that describes the same, is refused for: with the place, before anything starts.
#include "io/config/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/keras/keras_file.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;

std::string config(const std::string& dense = "{units: 3}", const std::string& training = "metrics: [accuracy]",
                   const std::string& top = "") {
  return top + "data:\n  train: {file: none.h5}\nmodel:\n  - Input: {shape: [4]}\n  - Dense: " + dense +
         "\n  - Dense: {units: 2, activation: softmax}\ntraining:\n  loss: sparse_categorical_crossentropy\n  " + training + "\n";
}

void expect_refused(const std::string& text, const std::vector<std::string>& parts, const std::vector<std::string>& sets = {}) {
  expect_error([&] { parse_config(text, "c.yaml", sets); }, parts);
}

TEST(Config, TextMustBeUtf8) {
  expect_refused(config("{units: 3, name: \"q\xff\"}"), {"c.yaml:5: ", "UTF-8", "0xff"});
  expect_refused(config("{units: 3}", "epochs: 1",
                        "name: a\xff"
                        "b\n"),
                 {"c.yaml:1: ", "UTF-8"});
  expect_refused(config("{units: 3, name: \"\xed\xa0\x80\"}"), {"c.yaml:5: ", "UTF-8", "0xed"});  // a surrogate
  expect_refused(config("{units: 3, name: \"\xc0\x80\"}"), {"c.yaml:5: ", "UTF-8"});              // an overlong 0
  expect_refused(config("{units: 3, name: \"\xe2\x82\"}"), {"c.yaml:5: ", "UTF-8", "0xe2"});      // cut short
  expect_refused(config(), {"--set name=", "UTF-8"}, {"name=a\xff"});
  EXPECT_EQ(parse_config(config("{units: 3}", "epochs: 1", "name: \xc3\xa4\xe2\x82\xac\xf0\x9f\x91\x97\n"), "c.yaml").name, "ä€👗");
}

TEST(Config, AnUnknownKeyIsToldEachKnownOneOnce) {
  expect_refused(config("{units: 3, zzzzzzzzzzzzzzz: 1}"), {"c.yaml:5: ", "there are: units, activation, use_bias"});
}

TEST(Config, AnyLayerCanBeFrozen) {
  const RunConfig read = parse_config(config("{units: 3, trainable: false}"), "c.yaml");
  EXPECT_FALSE(layer_trainable(read.model.layers[1]));
  EXPECT_TRUE(layer_trainable(read.model.layers[2]));
  expect_refused(config("{units: 3, trainable: 2}"), {"c.yaml:5: ", "trainable"});
}

TEST(Config, AnInitializerIsANameOrANameWithSettings) {
  const auto initializer = [](const std::string& text) {
    return std::get<Dense>(parse_config(config("{units: 3, kernel_initializer: " + text + "}"), "c.yaml").model.layers[1])
        .kernel_initializer;
  };
  EXPECT_EQ(initializer("he_normal"), Initializer::he_normal);
  EXPECT_EQ(initializer("HeNormal"), Initializer::he_normal);
  EXPECT_EQ(initializer("{he_normal: {seed: 3}}"), Initializer(HeNormal{.seed = 3}));
  EXPECT_EQ(initializer("{VarianceScaling: {scale: 2, mode: fan_avg, distribution: uniform}}"),
            Initializer(VarianceScaling{.scale = 2, .mode = FanMode::fan_avg, .distribution = Distribution::uniform}));
  const auto expect = [](const std::string& text, const std::vector<std::string>& parts) {
    expect_refused(config("{units: 3, kernel_initializer: " + text + "}"), parts);
  };
  expect("magical", {"c.yaml:5: ", "'model.1.Dense.kernel_initializer' names an unknown initializer 'magical'; known are glorot_uniform"});
  expect("{variance_scaling: {mode: fan}}", {"c.yaml:5: ", "mode' names an unknown word 'fan'; there are: fan_in, fan_out, fan_avg"});
  expect("{variance_scaling: {scale: 0}}", {"c.yaml:5: ", "scale' must be above 0"});
  expect("{he_normal: {stddev: 1}}", {"c.yaml:5: ", "stddev"});
}

TEST(Config, SoMustTheNamesOfLayers) {
  Sequential model({}, "m");
  expect_error([&] { model.add(Dense{.units = 1, .name = "q\xff"}); }, {"layer name", "UTF-8"});
  EXPECT_NO_THROW(model.add(Dense{.units = 1, .name = "größe"}));
}

TEST(Config, MetricNamesAreTheColumnsOfTheHistory) {
  expect_refused(config("{units: 3}", "metrics: [{accuracy: {name: loss}}]"), {"c.yaml:9: ", "'training.metrics.accuracy.name'", "'loss'"});
  expect_refused(config("{units: 3}", "metrics: [{accuracy: {name: val_a}}]"), {"c.yaml:9: ", "val_"});
  expect_refused(config("{units: 3}", "metrics: [{accuracy: {name: \"a,b\"}}]"), {"c.yaml:9: ", "comma"});
  expect_refused(config("{units: 3}", "metrics: [{accuracy: {name: \"a\\nb\"}}]"), {"c.yaml:9: ", "control"});
  expect_refused(config("{units: 3}", "metrics: [accuracy, accuracy]"),
                 {"c.yaml:9: ", "'training.metrics'", "two metrics are named 'accuracy'"});
  const auto compile = [](std::vector<MetricSpec> metrics) {
    Sequential model{Dense{.units = 2}};
    model.compile({.loss = MeanSquaredError{}, .metrics = std::move(metrics)});
    return model.compile_options().metrics;
  };
  for (const std::string name : {"loss", "val_loss", "val_x", "a,b", "a\nb", "a\rb", "a\x7f", "\"a\""}) {
    expect_error([&] { compile({{MeanAbsoluteErrorMetric{}, name}}); }, {"metric"});
  }
  expect_error([&] { compile({{MeanAbsoluteErrorMetric{}, "a"}, {RootMeanSquaredError{}, "a"}}); }, {"two metrics", "'a'"});
  EXPECT_EQ(compile({{MeanAbsoluteErrorMetric{}, ""}, {MeanAbsoluteErrorMetric{}, ""}})[1].name, "mean_absolute_error_1")
      << "automatic names are counted";
}

TEST(Config, WeightedMetricsAndTheReductionOfALoss) {
  const auto compiled = [](const std::string& training) {
    std::string text = config("{units: 3}", training);
    const std::string loss = "  loss: sparse_categorical_crossentropy\n";
    return parse_config(text.replace(text.find(loss), loss.size(),
                                     "  loss: {sparse_categorical_crossentropy: {ignore_class: -1, reduction: sum}}\n"),
                        "c.yaml")
        .compile;
  };
  const CompileOptions options = compiled("metrics: [accuracy]\n  weighted_metrics: [accuracy, {mean_io_u: {num_classes: 2}}]");
  EXPECT_EQ(options.reduction, Reduction::sum);
  EXPECT_EQ(std::get<SparseCategoricalCrossentropy>(options.loss).ignore_class, -1);
  ASSERT_EQ(options.metrics.size(), 3U);
  EXPECT_FALSE(options.metrics[0].weighted);
  EXPECT_TRUE(options.metrics[1].weighted);
  EXPECT_EQ(std::get<MeanIoU>(options.metrics[2].kind).num_classes, 2);
  Sequential model{Dense{.units = 2}};
  model.compile(options);
  EXPECT_EQ(model.compile_options().metrics[1].name, "weighted_accuracy");
  EXPECT_EQ(compiled("metrics: [mse]").reduction, Reduction::sum);
  expect_refused(config("{units: 3}", "weighted_metrics: [nothing]"),
                 {"c.yaml:9: ", "'training.weighted_metrics' names an unknown metric"});
  expect_refused(config("{units: 3}", "metrics: [recall_at_precision]"), {"precision", "training.metrics"});
  expect_refused(config("{units: 3}", "metrics: [{auc: {curve: ROK}}]"), {"c.yaml:9: ", "'ROK'; there are: ROC, PR"});
  expect_error([] { parse_scores("{mse: {reduction: none}}", ""); }, {"unknown word 'none'", "mean_with_sample_weight"});
  expect_error([] { parse_scores("circle", ""); }, {"Keras' circle"});
}

TEST(Config, NumbersMustBeFiniteInFloat32) {
  expect_refused(config("{units: 3, kernel_regularizer: {l2: 1e39}}"), {"c.yaml:5: ", "'model.1.Dense.kernel_regularizer.l2'", "float32"});
  expect_refused(config("{units: 3}", "optimizer: {SGD: {learning_rate: 1e39}}"),
                 {"c.yaml:9: ", "'training.optimizer.SGD.learning_rate'", "float32"});
  expect_refused(config("{units: 3}", "class_weight: {0: -1e39}"), {"c.yaml:9: ", "float32"});
  const float infinite = std::numeric_limits<float>::infinity();
  expect_error(
      [&] {
        Sequential{Dense{.units = 1, .kernel_regularizer = {0, infinite}}}.build({1});
      },
      {"layer 'dense'", "kernel_regularizer", "inf"});
  expect_error([&] { Sequential{Dense{.units = 1, .bias_regularizer = {-1, 0}}}.build({1}); }, {"layer 'dense'", "bias_regularizer", "-1"});
}

TEST(Config, AVarianceIsNotNegative) {
  const std::string text =
      "data:\n  train: {file: none.h5}\nmodel:\n  - Input: {shape: [1]}\n  - Normalization: {mean: 0, variance: -3}\ntraining:\n  loss: "
      "mse\n";
  expect_refused(text, {"c.yaml:5: ", "'model.1.Normalization.variance'", "-3"});
  expect_error([] { Sequential{Normalization{.mean = {0}, .variance = {-3}}}.build({1}); }, {"layer 'normalization'", "variance", "-3"});
  expect_error([] { Sequential{Normalization{.mean = {std::nanf("")}, .variance = {1}}}.build({1}); },
               {"layer 'normalization'", "mean", "nan"});
}

/// The first layer of a model that begins with `layer`.
LayerSpec read_layer(const std::string& layer) {
  const std::string text = "data:\n  train: {file: none.h5}\nmodel:\n  - " + layer + "\ntraining:\n  loss: mean_squared_error\n";
  return parse_config(text, "c.yaml").model.layers.at(0);
}

TEST(Config, MarginsAreANumberOrAListOfNumbersOrPairs) {
  const auto read = [](const std::string& padding) {
    return std::get<ZeroPadding2D>(read_layer("ZeroPadding2D: {padding: " + padding + "}")).padding;
  };
  EXPECT_EQ(read("3"), Margins(3));
  EXPECT_EQ(read("[1, 2]"), Margins(1, 2));
  EXPECT_EQ(read("[[1, 2], [3, 4]]"), Margins({1, 2}, {3, 4}));
  EXPECT_EQ(read("[[1, 2], 3]"), Margins({1, 2}, 3));
  for (const char* const wrong : {"[1]", "[1, 2, 3]", "{a: 1}", "[[1, 2, 3], 1]", "[-1, 0]", "a", "1.5", "99999999999"}) {
    expect_error([&] { read(wrong); }, {"c.yaml:4: ", "'model.0.ZeroPadding2D.padding' must be "});
  }
}

TEST(Config, ARangeIsANumberOrAListOfTwo) {
  const auto read = [](const std::string& factor) {
    return std::get<RandomTranslation>(read_layer("RandomTranslation: {width_factor: 0, height_factor: " + factor + "}")).height_factor;
  };
  EXPECT_EQ(read("0.25"), Range(-0.25F, 0.25F));
  EXPECT_EQ(read("-0.25"), Range(-0.25F, 0.25F));
  EXPECT_EQ(read("[-0.5, 0.25]"), Range(-0.5F, 0.25F));
  EXPECT_EQ(read("[0.25, -0.5]"), Range(-0.5F, 0.25F));
  for (const char* const wrong : {"[0.1]", "[0.1, 0.2, 0.3]", "{a: 1}", "2", "[0, 1.5]", "a", "[]"}) {
    expect_error([&] { read(wrong); }, {"c.yaml:4: ", "'model.0.RandomTranslation.height_factor' must be "});
  }
}

TEST(Config, ANoiseShapeMayHaveNulls) {
  const auto dropout = std::get<Dropout>(read_layer("Dropout: {rate: 0.1, noise_shape: [null, 1, 3]}"));
  EXPECT_EQ(dropout.noise_shape, (std::vector<std::optional<std::int64_t>>{{}, 1, 3}));
  expect_error([] { read_layer("Dropout: {rate: 0.1, noise_shape: [null, 0]}"); },
               {"c.yaml:4: ", "'model.0.Dropout.noise_shape' must be at least 1, found 0"});
  EXPECT_EQ(std::get<ReLU>(read_layer("ReLU: {max_value: 6}")).max_value, 6.F);
  EXPECT_FALSE(std::get<ReLU>(read_layer("ReLU: {max_value: null}")).max_value);
}

TEST(Config, FactorsAreNotSummedByAnAllreduce) {
  const std::string both = config() + "cluster: {exchange: factors, allreduce: ring}\n";
  expect_refused(both, {"c.yaml:10: ", "'cluster.allreduce'", "factors"});
  Sequential model = testing::small_model(Sgd{});
  expect_error(
      [&] { model.fit(testing::small_data(8), {.allreduce = AllreduceAlgorithm::ring, .exchange = ExchangeKind::factors, .verbose = 0}); },
      {"factors", "allreduce"});
}

TEST(Config, AModelCanBeThatOfAKerasFile) {
  const testing::TempDir dir;
  const std::string path = dir / "m.keras";
  const auto text = [](const std::string& model) {
    return "seed: 7\ndata:\n  train: {file: none.h5}\nmodel: " + model + "\ninitial_weights: w.h5\ntraining:\n  loss: mse\n";
  };
  const RunConfig config = parse_config(text("{keras: " + path + "}"), "c.yaml");  // the file need not be there yet
  EXPECT_EQ(config.model.keras, path);
  EXPECT_EQ(config.initial_weights, "w.h5");
  expect_error([&] { static_cast<void>(config.make_model()); }, {"m.keras"});
  Sequential model = testing::trained_model(Adam{});
  save_model(model, path);
  Sequential made = config.make_model();
  EXPECT_EQ(made.get_weights(), model.get_weights());
  EXPECT_EQ(made.seed(), 7U);
  EXPECT_FALSE(made.compiled()) << "a training has its own loss and optimizer";
  Sequential mixed(model.layers(), "mixed");
  mixed.set_dtype_policy(DtypePolicy::mixed_bfloat16);
  mixed.build({2, 3});
  save_model(mixed, path);
  EXPECT_EQ(config.make_model().dtype_policy(), DtypePolicy::mixed_bfloat16);
  const RunConfig plain = parse_config(text("{keras: " + path + "}") + "  mixed_precision: float32\n", "c.yaml");
  EXPECT_EQ(plain.make_model().dtype_policy(), DtypePolicy::float32) << "the configuration decides";
  expect_refused(text("{keras: m.keras, units: 3}"), {"c.yaml:4: ", "units", "keras"});
  expect_refused(text("{}"), {"c.yaml:4: ", "keras"});
  expect_refused(text("three layers"), {"c.yaml:4: ", "list of layers", "keras"});
}

TEST(Config, ScoresAreNamedAsInAConfiguration) {
  const CompileOptions options = parse_scores("{huber: {delta: 2}}", "mae, {binary_accuracy: {threshold: 0.25}}");
  EXPECT_EQ(std::get<Huber>(options.loss).delta, 2);
  ASSERT_EQ(options.metrics.size(), 2U);
  EXPECT_EQ(std::get<BinaryAccuracy>(options.metrics[1].kind).threshold, 0.25F);
  EXPECT_TRUE(parse_scores("mse", "").metrics.empty());
  expect_error([] { parse_scores("nothing", ""); }, {"--loss", "nothing", "huber"});
  expect_error([] { parse_scores("mse", "nothing"); }, {"--metrics", "nothing"});
  expect_error([] { parse_scores("{", ""); }, {"--loss {"});
}

// --- calls that come too early ---

TEST(Config, AModelThatIsNotBuiltOrNotCompiledSaysSo) {
  const Sequential bare{Dense{.units = 2}};
  expect_error([&] { bare.output_width(); }, {"has no weights yet", "build"});
  Sequential built = testing::small_model(Sgd{}, false);
  expect_error([&] { built.optimizer_view(0, 0); }, {"is not compiled"});
}

}  // namespace
}  // namespace lockstep
