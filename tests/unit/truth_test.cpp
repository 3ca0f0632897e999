// Truth that a loss cannot take: the error names the row of the data set, wherever the row has gone on its way into a batch.
#include <gtest/gtest.h>

#include <cmath>

#include "core/sequential.h"
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
  const std::vector<std::string> parts{"array of 200 rows", "row 140 of these:", "label 8 is not a class index from 0 to 2"};
  for (const bool shuffle : {false, true}) {
    for (const int threads : {1, 2}) {
      expect_error([&] { classifier().fit(data, {.batch_size = 64, .shuffle = shuffle, .threads = threads, .verbose = 0}); }, parts);
    }
  }
  expect_error([&] { classifier().evaluate(data); }, parts);
  const RowSlice slice(data, {100, 200});
  expect_error([&] { classifier().evaluate(slice); }, {"array of 200 rows rows 100 to 200", "row 40 of these:"});
}

TEST(Truth, BinaryCrossentropyTakesProbabilities) {
  for (const ActivationFunction last : {sigmoid, linear}) {
    Sequential model{Input{{2}}, Dense{.units = 1, .activation = last}};
    model.compile({.loss = BinaryCrossentropy{.from_logits = last == linear}});
    const FitOptions options{.batch_size = 64, .verbose = 0};
    expect_error([&] { model.fit(rows_with(70, 7), options); }, {"array of 200 rows", "row 70 of these:", "truth 7", "between 0 and 1"});
    expect_error([&] { model.evaluate(rows_with(199, -0.5F)); }, {"row 199 of these:", "truth -0.5"});
    expect_error([&] { model.evaluate(rows_with(3, std::nanf(""))); }, {"row 3 of these:", "truth nan"});
    EXPECT_NO_THROW(model.fit(rows_with(70, 0.25F), options));
  }
}

}  // namespace
}  // namespace lockstep
