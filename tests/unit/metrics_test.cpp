#include "core/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cluster/error.h"

namespace lockstep {
namespace {

double value_of(const MetricSpec& metric, const std::vector<float>& truth, const std::vector<float>& output, std::int64_t rows, std::vector<float> weight = {}) {
  if (weight.empty()) weight.assign(static_cast<std::size_t>(rows), 1.F);
  const auto width = static_cast<std::int64_t>(output.size()) / rows, truth_width = static_cast<std::int64_t>(truth.size()) / rows;
  return metric_result(metric, metric_rows(resolve(metric, truth_width, width), {truth.data(), output.data(), weight.data(), rows, width, truth_width}));
}

TEST(Accuracy, IsResolvedByTheShapes) {
  EXPECT_EQ(metric_class(resolve(accuracy, 1, 1)), "BinaryAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, 1, 10)), "SparseCategoricalAccuracy");
  EXPECT_EQ(metric_class(resolve(accuracy, 10, 10)), "CategoricalAccuracy");
}

TEST(Accuracy, Sparse) {
  EXPECT_DOUBLE_EQ(value_of(accuracy, {0, 1, 2}, {.9F, .1F, 0, .2F, .7F, .1F, .5F, .3F, .2F}, 3), 2.0 / 3);
  EXPECT_DOUBLE_EQ(value_of(accuracy, {0, 1}, {.5F, .5F, .5F, .5F}, 2), 0.5) << "ties go to the first index";
}

TEST(Accuracy, Categorical) { EXPECT_DOUBLE_EQ(value_of(accuracy, {0, 1, 1, 0}, {.2F, .8F, .3F, .7F}, 2), 0.5); }

TEST(Accuracy, BinaryThresholdIsStrict) { EXPECT_DOUBLE_EQ(value_of(accuracy, {1, 1, 0, 0}, {.6F, .5F, .5F, .7F}, 4), 0.5); }

TEST(TopK, CountsTheLabelsAmongTheKLargest) {
  const std::vector<float> output{.1F, .4F, .3F, .2F, .1F, .4F, .3F, .2F};
  EXPECT_DOUBLE_EQ(value_of({SparseTopKCategoricalAccuracy{2}, "top"}, {2, 3}, output, 2), 0.5);
  EXPECT_DOUBLE_EQ(value_of({SparseTopKCategoricalAccuracy{3}, "top"}, {2, 3}, output, 2), 1.0);
  EXPECT_DOUBLE_EQ(value_of({TopKCategoricalAccuracy{1}, "top"}, {0, 1, 0, 0, 0, 0, 0, 1}, output, 2), 0.5);
}

TEST(TopK, ValuesThatAreNotFiniteAreWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_DOUBLE_EQ(value_of({SparseTopKCategoricalAccuracy{2}, "top"}, {0}, {nan, 0.5F, 0.1F}, 1), 0.0);
}

TEST(Errors, AreMeansOverRowsOfMeansOverTheLastAxis) {
  const std::vector<float> truth{0, 0, 1, 1}, output{1, 3, 1, 3};
  EXPECT_DOUBLE_EQ(value_of(metric_from_name("mse"), truth, output, 2), (5.0 + 2.0) / 2);
  EXPECT_DOUBLE_EQ(value_of(metric_from_name("mae"), truth, output, 2), (2.0 + 1.0) / 2);
  EXPECT_DOUBLE_EQ(value_of(metric_from_name("RootMeanSquaredError"), truth, output, 2), std::sqrt(3.5));
}

TEST(Metrics, RowsThatOnlyPadDoNotCount) {
  EXPECT_DOUBLE_EQ(value_of(metric_from_name("mse"), {0, 0, 0}, {1, 2, 100}, 3, {1, 1, 0}), 2.5);
  EXPECT_DOUBLE_EQ(metric_result(accuracy, {0, 0}), 0.0);
}

TEST(Metrics, AStringIsItsOwnName) {
  EXPECT_EQ(metric_from_name("mse").name, "mse");
  EXPECT_EQ(metric_from_name("RootMeanSquaredError").name, "RootMeanSquaredError");
  EXPECT_EQ(default_name(metric_from_name("RootMeanSquaredError")), "root_mean_squared_error");
  EXPECT_THROW(metric_from_name("rmse"), Error);
}

TEST(Metrics, ShapesThatDoNotFitAreErrors) {
  EXPECT_THROW(resolve(metric_from_name("mse"), 2, 3), Error);
  EXPECT_THROW(resolve(metric_from_name("sparse_categorical_accuracy"), 3, 3), Error);
  EXPECT_THROW(resolve(accuracy, 2, 3), Error);
}

}  // namespace
}  // namespace lockstep
