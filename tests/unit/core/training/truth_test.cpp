// Truth that a loss cannot take: the error names the row of the data set, wherever the row has gone on its way into a batch.
#include <gtest/gtest.h>

#include <cmath>

#include "core/training/sequential.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;

/// 200 rows of which one has another truth.
ArrayDataset rows_with(std::int64_t row, float truth) {
  std::vector<float> x(400, 0.5F), y(200, 1);
  y[static_cast<std::size_t>(row)] = truth;
  return ArrayDataset({2}, x, y);
}

Sequential classifier() {
  Sequential model{Input{{2}}, Dense{.units = 3, .activation = softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  return model;
}

TEST(Truth, TheRowOfTheDataSetIsNamed) {
  const ArrayDataset data = rows_with(140, 8);
  const std::vector<std::string> parts{"array of 200 rows", "row 140: ", "label 8 is not a class index from 0 to 2"};
  for (const bool shuffle : {false, true}) {
    for (const int threads : {1, 2}) {
      expect_error([&] { classifier().fit(data, {.batch_size = 64, .shuffle = shuffle, .threads = threads, .verbose = 0}); }, parts);
    }
  }
  expect_error([&] { classifier().evaluate(data); }, parts);
  const RowSlice slice(data, {100, 200});
  expect_error([&] { classifier().evaluate(slice); }, {"array of 200 rows", "row 140: "});
}

TEST(Truth, IsLookedAtBeforeTheFirstStep) {
  struct Steps final : Callback {
    void on_train_batch_end(const FitState&) override { ++count; }
    int count = 0;
  } steps;
  const ArrayDataset good = rows_with(0, 1), bad = rows_with(140, 8);
  for (const ArrayDataset* validation : {&good, &bad}) {
    Sequential model = classifier();
    const ArrayDataset& train = validation == &good ? bad : good;
    expect_error(
        [&] { model.fit(train, {.batch_size = 10, .validation_data = validation, .shuffle = false, .callbacks = {&steps}, .verbose = 0}); },
        {"row 140: label 8"});
  }
  expect_error([&] { classifier().fit(bad, {.validation_split = 0.5, .callbacks = {&steps}, .verbose = 0}); }, {"row 140: label 8"});
  EXPECT_EQ(steps.count, 0);
}

TEST(Truth, FeaturesThatAreNotFiniteAreNamed) {
  std::vector<float> x(400, 0.5F);
  x[2 * 140 + 1] = std::nanf("");
  const ArrayDataset good = rows_with(0, 1), bad({2}, x, std::vector<float>(200, 1));
  const std::vector<std::string> parts{"array of 200 rows, row 140, column 1 is nan"};
  expect_error([&] { classifier().fit(bad, {.stop_on_nan = true, .verbose = 0}); }, parts);
  expect_error([&] { classifier().fit(good, {.validation_data = &bad, .stop_on_nan = true, .verbose = 0}); }, parts);
  expect_error([&] { classifier().fit(bad, {.validation_split = 0.5, .stop_on_nan = true, .verbose = 0}); }, parts);
  expect_error([&] { classifier().evaluate(bad); }, parts);
  expect_error([&] { Normalization{}.adapt(bad, World()); }, parts);
  EXPECT_NO_THROW(classifier().fit(bad, {.verbose = 0}));
  EXPECT_EQ(classifier().predict(bad).size(), 600U);
}

TEST(Truth, TargetsAreFinite) {
  const std::vector<float> x(8, 0.5F);
  for (const float bad : {std::nanf(""), -INFINITY}) {
    for (const LossSpec& loss :
         {LossSpec(MeanSquaredError{}), LossSpec(MeanAbsoluteError{}), LossSpec(Huber{}), LossSpec(CategoricalCrossentropy{})}) {
      Sequential model{Input{{2}}, Dense{.units = 2, .activation = softmax}};
      model.compile({.loss = loss});
      expect_error(
          [&] {
            model.check_rows(ArrayDataset({2}, x, {0, 1, 1, 0, 0, bad, 0, 1}));
          },
          {"array of 4 rows, row 2: truth ", "in column 1 is not a finite number"});
    }
  }
}

TEST(Truth, WeightsAreFiniteNotNegativeAndNotAllZero) {
  const std::vector<float> x(8, 0.5F), y{0, 1, 2, 1};
  const auto weighted = [&](const std::vector<float>& weight) { return ArrayDataset({2}, x, y, weight); };
  expect_error(
      [&] {
        classifier().fit(weighted({1, 1, -1, 1}), {.verbose = 0});
      },
      {"row 2: weight -1 is not a finite number of at least 0"});
  expect_error([&] { classifier().evaluate(weighted({1, 1, 1, std::nanf("")})); }, {"row 3: weight nan"});
  expect_error([&] { classifier().evaluate(weighted({INFINITY, 1, 1, 1})); }, {"row 0: weight inf"});
  expect_error([&] { classifier().fit(weighted({0, 0, 0, 0}), {.verbose = 0}); }, {"the weights of all 4 rows are 0"});
  expect_error(
      [&] {
        classifier().fit(weighted({1, 0, 0, 0}), {.class_weight = {{0, 0.F}}, .verbose = 0});
      },
      {"the weights of all 4 rows are 0"});
  EXPECT_NO_THROW(classifier().evaluate(weighted({1, 0, 0, 0})));
}

TEST(Truth, OfRowsWithoutWeightMayBeAnything) {
  const std::vector<float> x(8, 0.5F), y{0, 255, 255, 1};
  EXPECT_NO_THROW(classifier().evaluate(ArrayDataset({2}, x, y, {1, 0, 0, 1})));
  EXPECT_NO_THROW(classifier().fit(ArrayDataset({2}, x, y), {.class_weight = {{255, 0.F}}, .verbose = 0}));
  expect_error([&] { classifier().evaluate(ArrayDataset({2}, x, y)); }, {"row 1: label 255"});
}

TEST(Truth, BinaryCrossentropyTakesProbabilities) {
  for (const ActivationFunction last : {sigmoid, linear}) {
    Sequential model{Input{{2}}, Dense{.units = 1, .activation = last}};
    model.compile({.loss = BinaryCrossentropy{.from_logits = last == linear}});
    const FitOptions options{.batch_size = 64, .verbose = 0};
    expect_error([&] { model.fit(rows_with(70, 7), options); }, {"array of 200 rows", "row 70: ", "truth 7", "between 0 and 1"});
    expect_error([&] { model.evaluate(rows_with(199, -0.5F)); }, {"row 199: ", "truth -0.5"});
    expect_error([&] { model.evaluate(rows_with(3, std::nanf(""))); }, {"row 3: ", "truth nan"});
    EXPECT_NO_THROW(model.fit(rows_with(70, 0.25F), options));
  }
}

}  // namespace
}  // namespace lockstep
