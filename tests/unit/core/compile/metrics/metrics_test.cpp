#include "core/compile/metrics/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cluster/error.h"
#include "core/compile/metrics/names.h"

namespace lockstep {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Block {
  std::int64_t width, truth_width;
  std::vector<float> truth, output;
  std::vector<float> weight = {}, present = {};

  /// The state after these rows; `before` is gone on with.
  std::pair<std::vector<double>, std::vector<double>> state(MetricSpec metric,
                                                            std::pair<std::vector<double>, std::vector<double>> before = {}) {
    const auto rows = static_cast<std::size_t>(static_cast<std::int64_t>(output.size()) / width);
    if (present.empty()) present.assign(rows, 1);
    if (weight.empty()) weight.assign(rows, 1);
    std::vector<double> value(rows);
    metric = resolve(metric, {width, truth_width});
    const MetricSize size = size_of(metric, {width, truth_width});
    before.first.resize(static_cast<std::size_t>(size.sums));
    before.second.resize(static_cast<std::size_t>(size.counts));
    add_rows(metric,
             {truth.data(), output.data(), present.data(), metric.weighted ? weight.data() : present.data(), value.data(),
              static_cast<std::int64_t>(rows), width, truth_width},
             {before.first, before.second});
    return before;
  }
  /// Sum and count of a mean.
  std::vector<double> mean(const MetricSpec& metric) { return state(metric).first; }
  double result(const MetricSpec& metric) { return result_of_state(metric, state(metric)); }
  double result_of_state(const MetricSpec& metric, std::pair<std::vector<double>, std::vector<double>> state) const {
    return result_of(resolve(metric, {width, truth_width}), {state.first, state.second});
  }
};

MetricSpec named(std::string_view name) { return metric_from_name(name); }

TEST(Metrics, SparseCategoricalAccuracy) {
  Block block{3, 1, {2, 0, 2, 0, 1}, {0.1F, 0.2F, 0.7F, 0.4F, 0.4F, 0.2F, 0.4F, 0.4F, 0.2F, 0.1F, 0.6F, 0.3F, 0, 1, 0}};
  EXPECT_EQ(block.mean(named("sparse_categorical_accuracy")), (std::vector<double>{3, 5}));  // rows 0, 1 (a tie goes to the first) and 4
  EXPECT_EQ(block.mean(accuracy)[0], 3);
  Block odd{2, 1, {0.5F, -1, 2, kNan, 0}, {1, 0, 1, 0, 1, 0, 1, 0, kNan, kNan}};  // no class, or no answer
  EXPECT_EQ(odd.result(named("SparseCategoricalAccuracy")), 0);
}

TEST(Metrics, CategoricalAccuracy) {
  Block block{3, 3, {0, 0, 1, 1, 0, 0, 0.2F, 0.4F, 0.4F}, {0.1F, 0.2F, 0.7F, 0.2F, 0.5F, 0.3F, 0, 1, 0}};
  EXPECT_DOUBLE_EQ(block.result(named("categorical_accuracy")), 2.0 / 3);
  EXPECT_DOUBLE_EQ(block.result(accuracy), 2.0 / 3);
}

TEST(Metrics, BinaryAccuracyIsAboveTheThresholdStrictly) {
  Block block{1, 1, {0, 1, 0, 0}, {0.5F, 0.6F, 0.5F, 0.7F}};
  EXPECT_DOUBLE_EQ(block.result(named("binary_accuracy")), 0.75);
  EXPECT_DOUBLE_EQ(block.result(accuracy), 0.75);
  EXPECT_DOUBLE_EQ(block.result({BinaryAccuracy{0.65F}, ""}), 0.5);
  EXPECT_DOUBLE_EQ(block.result({BinaryAccuracy{0.55F}, ""}), 0.75);
  EXPECT_DOUBLE_EQ(block.result({BinaryAccuracy{0.4F}, ""}), 0.25);
  EXPECT_DOUBLE_EQ(block.result({BinaryAccuracy{0.8F}, ""}), 0.75);
  Block wide{2, 2, {1, 0, 1, 1}, {0.9F, 0.1F, 0.9F, 0.1F}};  // mean over the row, then over rows
  EXPECT_DOUBLE_EQ(wide.result(named("BinaryAccuracy")), 0.75);
}

TEST(Metrics, TopK) {
  const std::vector<float> output = {0.1F, 0.4F, 0.2F, 0.3F};
  for (int label = 0; label < 4; ++label) {
    for (std::int64_t k = 1; k <= 5; ++k) {
      const int rank[] = {4, 1, 3, 2};
      Block sparse{4, 1, {static_cast<float>(label)}, output};
      EXPECT_EQ(sparse.result({SparseTopKCategoricalAccuracy{k}, ""}), rank[label] <= k ? 1 : 0);
      Block categorical{4, 4, {0, 0, 0, 0}, output};
      categorical.truth[static_cast<std::size_t>(label)] = 1;
      EXPECT_EQ(categorical.result({TopKCategoricalAccuracy{k}, ""}), rank[label] <= k ? 1 : 0);
    }
  }
  // All that tie with the k-th largest are among the k.
  Block tie{4, 1, {0, 1, 2, 3}, {0.3F, 0.3F, 0.3F, 0.1F, 0.3F, 0.3F, 0.3F, 0.1F, 0.3F, 0.3F, 0.3F, 0.1F, 0.3F, 0.3F, 0.3F, 0.1F}};
  EXPECT_EQ(tie.mean({SparseTopKCategoricalAccuracy{2}, ""})[0], 3);
  Block bad{2, 1, {0, 0, 0, 2, -1, kNan}, {kNan, 0, kInf, 0, 0, kInf, 1, 0, 1, 0, 1, 0}};
  EXPECT_EQ(bad.result({SparseTopKCategoricalAccuracy{2}, ""}), 0);
  EXPECT_EQ(std::get<TopKCategoricalAccuracy>(named("TopKCategoricalAccuracy").kind).k, 5);
}

TEST(Metrics, Errors) {
  Block block{2, 2, {1, 2, 3, 4, 0, 0}, {1, 4, 1, 4, 0, 3}};  // squared errors 0 4, 4 0, 0 9
  EXPECT_DOUBLE_EQ(block.result(named("mse")), (2 + 2 + 4.5) / 3);
  EXPECT_DOUBLE_EQ(block.result(named("mae")), (1 + 1 + 1.5) / 3);
  EXPECT_DOUBLE_EQ(block.result(named("RootMeanSquaredError")), std::sqrt((2 + 2 + 4.5) / 3));
  block.output[0] = kNan;
  EXPECT_TRUE(std::isnan(block.result(named("mse"))));
}

TEST(Metrics, PaddingIsLeftOutAndOnlyWeightedMetricsWeigh) {
  Block block{1, 1, {1, 2, kNan, 4}, {3, 2, 1, kNan}, {0.5F, 7, 0, 0}, {1, 1, 0, 0}};
  EXPECT_EQ(block.mean(named("mse")), (std::vector<double>{4, 2}));
  EXPECT_EQ(block.mean(weighted(named("mse"))), (std::vector<double>{2, 7.5}));
  Block none{1, 1, {1}, {3}, {1}, {0}};
  EXPECT_EQ(none.result(named("mse")), 0);
  EXPECT_EQ(none.result(named("RootMeanSquaredError")), 0);
}

TEST(Metrics, BlocksAddUpToTheRootOfTheMeanOfAllRows) {
  Block one{1, 1, {0, 0}, {1, 2}}, two{1, 1, {0}, {5}};
  const MetricSpec rmse = named("root_mean_squared_error");
  EXPECT_DOUBLE_EQ(two.result_of_state(rmse, two.state(rmse, one.state(rmse))), std::sqrt(30.0 / 3));
}

TEST(Metrics, CountsAreTheSameBitsInEveryOrder) {
  std::vector<double> up(4), down(4);
  std::vector<float> amounts;
  for (int i = 0; i < 5000; ++i)
    amounts.push_back(std::abs(std::sin(static_cast<float>(i))) * std::pow(10.F, static_cast<float>(i % 9 - 4)));
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    ExactCounts(up).add(1, static_cast<double>(amounts[i]));
    ExactCounts(down).add(1, static_cast<double>(amounts[amounts.size() - 1 - i]));
  }
  EXPECT_EQ(up, down);
  long double sum = 0;
  for (const float amount : amounts) sum += amount;
  EXPECT_NEAR(ExactCounts::count(up, 1), static_cast<double>(sum), 1e-9);
  EXPECT_EQ(ExactCounts::count(up, 0), 0);
}

/// Six answers: outputs, and whether they are right.
Block answers() { return {1, 1, {0, 0, 1, 1, 1, 0}, {0.1F, 0.4F, 0.35F, 0.8F, 0.5F, 0.9F}, {1, 2, 0.5F, 1, 4, 0.25F}}; }

TEST(Metrics, CountsAtAThreshold) {
  Block block = answers();
  EXPECT_EQ(block.result(named("TruePositives")), 1);  // 0.5 is not above 0.5
  EXPECT_EQ(block.result(named("FalsePositives")), 1);
  EXPECT_EQ(block.result(named("FalseNegatives")), 2);
  EXPECT_EQ(block.result(named("TrueNegatives")), 2);
  EXPECT_EQ(block.result(weighted(named("FalseNegatives"))), 4.5);
  EXPECT_EQ(block.result(named("Precision")), 0.5);
  EXPECT_DOUBLE_EQ(block.result(named("Recall")), 1.0 / 3);
  EXPECT_DOUBLE_EQ(block.result({Recall{{.thresholds = 0.38F}}}), 2.0 / 3);
  Block none{1, 1, {0, 0}, {0.1F, 0.2F}};
  EXPECT_EQ(none.result(named("precision")), 0);  // nothing is positive
  EXPECT_EQ(none.result(named("recall")), 0);
}

TEST(Metrics, RatesOfOneClassAndOfTheLargest) {
  Block block{3, 3, {1, 0, 0, 0, 1, 0, 0, 1, 1}, {0.9F, 0.6F, 0.1F, 0.7F, 0.2F, 0.2F, 0.1F, 0.3F, 0.6F}};
  EXPECT_DOUBLE_EQ(block.result({Precision{{.class_id = 0}}}), 0.5);
  EXPECT_DOUBLE_EQ(block.result({Precision{{.top_k = 1}}}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(block.result({Recall{{.top_k = 2}}}), 1);  // of two equal outputs the first one is among the two largest
  EXPECT_DOUBLE_EQ(block.result({Recall{{.thresholds = 0.5F, .top_k = 2}}}), 2.0 / 4);
  EXPECT_THROW(block.result({Precision{{.class_id = 3}}}), Error);
  EXPECT_THROW(block.result({Precision{{.top_k = 4}}}), Error);
  EXPECT_THROW(block.result({Precision{{.thresholds = {0.1F, 0.2F}}}}), Error);
}

TEST(Metrics, AreasUnderCurves) {
  Block block{1, 1, {0, 0, 1, 1}, {0.1F, 0.4F, 0.35F, 0.8F}};
  EXPECT_NEAR(block.result(named("auc")), 0.75, 1e-12);                                  // three of four pairs are in order
  EXPECT_NEAR(block.result({Auc{.num_thresholds = 3}}), 0.75, 1e-12);                    // keras.io/api/metrics/classification_metrics
  EXPECT_NEAR(block.result({Auc{.thresholds = {0.75F, 0.25F, 0.5F}}}), 3.5 / 4, 1e-12);  // 0.35 and 0.4 lie between the same two
  Block pairs{2, 2, {0, 1, 0, 0, 1, 1, 1, 0}, {0.1F, 0.9F, 0.4F, 0.2F, 0.35F, 0.8F, 0.8F, 0.1F}};
  EXPECT_NEAR(pairs.result({Auc{.multi_label = true}}), (0.75 + 1) / 2, 1e-12);
  EXPECT_NEAR(pairs.result({Auc{.multi_label = true, .label_weights = {3, 1}}}), (3 * 0.75 + 1) / 4, 1e-12);
  EXPECT_THROW(pairs.result({Auc{.multi_label = true, .label_weights = {3, 1, 2}}}), Error);
  EXPECT_THROW(pairs.result({Auc{.num_labels = 2}}), Error);
  EXPECT_THROW(pairs.result({Auc{.num_thresholds = 1}}), Error);
  Block logits{1, 1, {0, 0, 1, 1}, {-2.2F, -0.4F, -0.6F, 1.4F}};
  EXPECT_NEAR(logits.result({Auc{.from_logits = true}}), 0.75, 1e-12);
}

TEST(Metrics, RatesWhereAnotherRateIsHeld) {
  Block block{1, 1, {0, 0, 0, 1, 1}, {0, 0.3F, 0.8F, 0.3F, 0.8F}};  // the examples of Keras' documentation
  EXPECT_DOUBLE_EQ(block.result({SensitivityAtSpecificity{{.value = 0.5F}}}), 0.5);
  EXPECT_DOUBLE_EQ(block.result({PrecisionAtRecall{{.value = 0.5F}}}), 0.5);
  EXPECT_DOUBLE_EQ(block.result({SpecificityAtSensitivity{{.value = 0.5F}}}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(block.result({RecallAtPrecision{{.value = 0.8F}}}), 0);
  EXPECT_THROW(block.result({RecallAtPrecision{{.value = 1.5F}}}), Error);
}

TEST(Metrics, FScores) {
  Block block{3, 3, {1, 1, 1, 1, 0, 0, 1, 1, 0}, {0.2F, 0.6F, 0.7F, 0.2F, 0.6F, 0.6F, 0.6F, 0.8F, 0}};
  const auto score = [&](Average average) {
    F1Score f1;
    f1.average = average;
    f1.threshold = 0.5F;
    return block.result({f1});
  };
  EXPECT_NEAR(score(Average::macro), (0.5 + 0.8 + 2.0 / 3) / 3, 1e-6);  // keras.io: [0.5, 0.8, 0.6666667]
  EXPECT_NEAR(score(Average::micro), 2 * (4.0 / 6) * (4.0 / 6) / (8.0 / 6), 1e-6);
  EXPECT_NEAR(score(Average::weighted), (0.5 * 3 + 0.8 * 2 + 2.0 / 3) / 6, 1e-6);
  try {
    score(Average::none);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("average: macro"), std::string::npos) << error.what();
  }
}

TEST(Metrics, IntersectionsOverUnions) {
  Block block{3, 1, {0, 0, 1, 1}, {1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}};
  MeanIoU mean;
  mean.num_classes = 3;
  mean.sparse_y_pred = false;
  EXPECT_NEAR(block.result({mean}), 1.0 / 3, 1e-6);  // keras.io; class 2 is nowhere and does not count
  mean.ignore_class = 0;
  EXPECT_NEAR(block.result({mean}), (0 + 0.5) / 2, 1e-6);
  EXPECT_NEAR(block.result(weighted({mean})), (0 + 0.5) / 2, 1e-6);
  mean.sparse_y_pred = true;
  EXPECT_THROW(block.result({mean}), Error);
  Block binary{1, 1, {0, 1, 0, 1}, {0.1F, 0.2F, 0.4F, 0.7F}, {1.9F, 1, 1, 1}};
  BinaryIoU iou;
  iou.threshold = 0.3F;
  EXPECT_NEAR(binary.result({iou}), 1.0 / 3, 1e-6);
  EXPECT_NEAR(binary.result(weighted({iou})), 1.0 / 3, 1e-6);  // Keras cuts weights to whole numbers
  iou.target_class_ids = {2};
  EXPECT_THROW(binary.result({iou}), Error);
}

TEST(Metrics, R2) {
  Block block{1, 1, {1, 4, 3}, {2, 4, 4}};
  EXPECT_NEAR(block.result(named("r2_score")), 1 - 2 / (14.0 / 3), 1e-12);  // keras.io: 0.5714286
  EXPECT_NEAR(block.result({R2Score{.num_regressors = 1}}), 1 - (3.0 / 7) * 2 / 1, 1e-12);
  Block two{2, 2, {1, 10, 2, 20, 3, 30}, {1, 10, 2, 20, 2, 0}};
  EXPECT_NEAR(two.result(named("R2Score")), (0.5 + 1 - 900 / 200.0) / 2, 1e-12);
  EXPECT_NEAR(two.result({R2Score{ClassAggregation::variance_weighted_average}}), (2 * 0.5 + 200 * (1 - 900 / 200.0)) / 202, 1e-12);
}

TEST(Metrics, LossesAndSimilarities) {
  Block block{2, 2, {0, 1, 1, 1}, {1, 0, 1, 1}};
  EXPECT_NEAR(block.result(named("CosineSimilarity")), 0.5, 1e-6);
  EXPECT_NEAR(block.result(named("hinge")), (1.5 + 0) / 2, 1e-12);
  EXPECT_NEAR(block.result(named("log_cosh_error")), std::log(std::cosh(1.0)) / 2, 1e-9);
  EXPECT_EQ(default_name(named("log_cosh_error")), "logcosh");
  EXPECT_EQ(default_name(named("FBetaScore")), "fbeta_score");
  Block rising{3, 3, {0, 1, 0.5F, 1, 1, 0.2F}, {0.1F, 0.9F, 0.5F, 1, 0.9F, 0.2F}};
  EXPECT_NEAR(rising.result(named("PearsonCorrelation")), 0.9966, 1e-4);      // keras.io
  EXPECT_NEAR(rising.result(named("ConcordanceCorrelation")), 0.9816, 1e-4);  // keras.io
  Block one{1, 1, {0}, {1}};
  EXPECT_THROW(one.result(named("pearson_correlation")), Error);
  Block ignored{2, 1, {0, 1}, {0.5F, 0.5F, 0.5F, 0.5F}};
  const MetricSpec entropy{LossMetric<SparseCategoricalCrossentropy>{{.ignore_class = 1}}};
  EXPECT_NEAR(ignored.result(entropy), std::log(2.0) / 2, 1e-7);        // Keras counts the row
  EXPECT_NEAR(ignored.result(weighted(entropy)), std::log(2.0), 1e-7);  // and here it does not
}

TEST(Metrics, TheDirectionOfEach) {
  const std::vector<MetricSpec> metrics = {accuracy, named("mse"), named("auc"), named("FalsePositives"), named("cosine_similarity")};
  for (const char* up : {"accuracy", "val_accuracy", "auc", "val_cosine_similarity"}) EXPECT_TRUE(larger_is_better(up, metrics)) << up;
  for (const char* down : {"loss", "mse", "val_mse", "FalsePositives", "else"}) EXPECT_FALSE(larger_is_better(down, metrics)) << down;
}

TEST(Metrics, NamesOfWeightedOnes) {
  std::vector<MetricSpec> metrics = {weighted(accuracy), accuracy, weighted({Auc{}}), weighted(named("mse"))};
  name_metrics(metrics);
  std::vector<std::string> names;
  for (const MetricSpec& metric : metrics) names.push_back(metric.name);
  EXPECT_EQ(names, (std::vector<std::string>{"accuracy", "weighted_accuracy", "auc", "mse"}));
}

TEST(Metrics, AccuracyIsResolvedByShapes) {
  EXPECT_EQ(metric_class(resolve(accuracy, {1, 1})), "BinaryAccuracy");
  const auto threshold = [](const MetricSpec& metric, bool logits) {
    return std::get<BinaryAccuracy>(resolve(metric, {1, 1, logits}).kind).threshold;
  };
  EXPECT_EQ(threshold(accuracy, false), 0.5F);
  EXPECT_EQ(threshold(accuracy, true), 0);
  EXPECT_EQ(threshold({BinaryAccuracy{}, ""}, true), 0.5F) << "which the user gave";
  EXPECT_EQ(metric_class(resolve(accuracy, {10, 1, true})), "SparseCategoricalAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, {10, 1})), "SparseCategoricalAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, {10, 10})), "CategoricalAccuracy");
  EXPECT_EQ(resolve(accuracy, {10, 1}).name, "accuracy");
  EXPECT_EQ(resolve(named("acc"), {10, 1}).name, "acc");
  EXPECT_EQ(resolve({RootMeanSquaredError{}, ""}, {1, 1}).name, "root_mean_squared_error");
  for (const auto& [name, truth_width, output_width] : {std::tuple<const char*, int, int>{"accuracy", 3, 10},
                                                        {"accuracy", 2, 1},
                                                        {"sparse_categorical_accuracy", 10, 10},
                                                        {"categorical_accuracy", 1, 10},
                                                        {"mse", 1, 2},
                                                        {"TopKCategoricalAccuracy", 1, 10}}) {
    try {
      resolve(named(name), {output_width, truth_width});
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), kUsage);
      EXPECT_NE(std::string(error.what()).find(std::string("'") + name + "'"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(resolve({SparseTopKCategoricalAccuracy{0}, ""}, {10, 1}), Error);
}

TEST(Metrics, AStringIsTheName) {
  for (const char* name : {"accuracy", "acc", "Accuracy", "mse", "MSE", "mae", "MAE", "mean_squared_error", "MeanAbsoluteError",
                           "RootMeanSquaredError", "root_mean_squared_error", "sparse_top_k_categorical_accuracy"}) {
    EXPECT_EQ(named(name).name, name);
  }
  EXPECT_EQ(metric_class(named("Accuracy")), "Accuracy");
  EXPECT_EQ(default_name(named("MSE")), "mean_squared_error");
  EXPECT_EQ(metric_class(named("mae")), "MeanAbsoluteError");
  EXPECT_EQ(default_name(named("RootMeanSquaredError")), "root_mean_squared_error");
  for (const char* name : {"rmse", "", "Mse", "MSe", "crossentropy"}) {
    try {
      named(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), kUsage);
      EXPECT_NE(std::string(error.what()).find("mean_absolute_error (mae)"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace lockstep
