#include "core/compile/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Block {
  std::int64_t width, truth_width;
  std::vector<float> truth, output;
  std::vector<float> weight = {};

  Mean mean(const MetricSpec& metric) {
    const auto rows = static_cast<std::int64_t>(output.size()) / width;
    if (weight.empty()) weight.assign(static_cast<std::size_t>(rows), 1);
    return metric_rows(metric, {truth.data(), output.data(), weight.data(), rows, width, truth_width});
  }
  double result(const MetricSpec& metric) { return metric_result(metric, mean(metric)); }
};

MetricSpec named(std::string_view name) { return metric_from_name(name); }

TEST(Metrics, SparseCategoricalAccuracy) {
  Block block{3, 1, {2, 0, 2, 0, 1}, {0.1F, 0.2F, 0.7F, 0.4F, 0.4F, 0.2F, 0.4F, 0.4F, 0.2F, 0.1F, 0.6F, 0.3F, 0, 1, 0}};
  const Mean mean = block.mean(named("sparse_categorical_accuracy"));
  EXPECT_EQ(mean.sum, 3);  // rows 0, 1 (a tie goes to the first) and 4
  EXPECT_EQ(mean.count, 5);
  EXPECT_EQ(block.mean(accuracy).sum, 3);
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
  EXPECT_EQ(tie.mean({SparseTopKCategoricalAccuracy{2}, ""}).sum, 3);
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

TEST(Metrics, WeightZeroLeavesARowOutAndOtherWeightsDoNotCount) {
  Block block{1, 1, {1, 2, kNan, 4}, {3, 2, 1, kNan}, {0.5F, 7, 0, 0}};
  const Mean mean = block.mean(named("mse"));
  EXPECT_EQ(mean.sum, 4);
  EXPECT_EQ(mean.count, 2);
  Block none{1, 1, {1}, {3}, {0}};
  EXPECT_EQ(none.result(named("mse")), 0);
  EXPECT_EQ(none.result(named("RootMeanSquaredError")), 0);
}

TEST(Metrics, BlocksAddUpToTheRootOfTheMeanOfAllRows) {
  Block one{1, 1, {0, 0}, {1, 2}}, two{1, 1, {0}, {5}};
  const MetricSpec rmse = named("root_mean_squared_error");
  Mean total = one.mean(rmse);
  const Mean second = two.mean(rmse);
  total.sum += second.sum;
  total.count += second.count;
  EXPECT_DOUBLE_EQ(metric_result(rmse, total), std::sqrt(30.0 / 3));
}

TEST(Metrics, AccuracyIsResolvedByShapes) {
  EXPECT_EQ(metric_class(resolve(accuracy, 1, 1)), "BinaryAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, 1, 10)), "SparseCategoricalAccuracy");
  const auto threshold = [](const MetricSpec& metric, bool logits) {
    return std::get<BinaryAccuracy>(resolve(metric, 1, 1, logits).kind).threshold;
  };
  EXPECT_EQ(threshold(accuracy, false), 0.5F);
  EXPECT_EQ(threshold(accuracy, true), 0);
  EXPECT_EQ(threshold({BinaryAccuracy{}, ""}, true), 0.5F) << "which the user gave";
  EXPECT_EQ(metric_class(resolve(accuracy, 1, 10, true)), "SparseCategoricalAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, 10, 10)), "CategoricalAccuracy");
  EXPECT_EQ(resolve(accuracy, 1, 10).name, "accuracy");
  EXPECT_EQ(resolve(named("acc"), 1, 10).name, "acc");
  EXPECT_EQ(resolve({RootMeanSquaredError{}, ""}, 1, 1).name, "root_mean_squared_error");
  for (const auto& [name, truth_width, output_width] : {std::tuple<const char*, int, int>{"accuracy", 3, 10},
                                                        {"accuracy", 2, 1},
                                                        {"sparse_categorical_accuracy", 10, 10},
                                                        {"categorical_accuracy", 1, 10},
                                                        {"mse", 1, 2},
                                                        {"TopKCategoricalAccuracy", 1, 10}}) {
    try {
      resolve(named(name), truth_width, output_width);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), kUsage);
      EXPECT_NE(std::string(error.what()).find(std::string("'") + name + "'"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(resolve({SparseTopKCategoricalAccuracy{0}, ""}, 1, 10), Error);
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
