// What is allowed but seldom meant, and what check_rows() counts.
#include <gtest/gtest.h>

#include "core/training/sequential.h"

namespace lockstep {
namespace {

std::vector<std::string> cautions(std::vector<LayerSpec> layers, LossSpec loss) {
  layers.insert(layers.begin(), Input{{4}});
  Sequential model(std::move(layers));
  model.compile({.loss = loss});
  return model.cautions();
}

void expect_caution(const std::vector<std::string>& found, const std::string& part) {
  ASSERT_EQ(found.size(), 1U) << part;
  EXPECT_NE(found[0].find(part), std::string::npos) << found[0];
}

TEST(Cautions, AreSilentAboutWhatBelongsTogether) {
  EXPECT_TRUE(cautions({Dense{.units = 3, .activation = softmax}}, SparseCategoricalCrossentropy{}).empty());
  EXPECT_TRUE(cautions({Dense{.units = 3}, Activation{softmax}, Flatten{}}, CategoricalCrossentropy{}).empty());
  EXPECT_TRUE(cautions({Dense{.units = 3}}, SparseCategoricalCrossentropy{.from_logits = true}).empty());
  EXPECT_TRUE(cautions({Dense{.units = 1, .activation = sigmoid}}, BinaryCrossentropy{}).empty());
  EXPECT_TRUE(cautions({Dense{.units = 1}}, BinaryCrossentropy{.from_logits = true}).empty());
  EXPECT_TRUE(cautions({Dense{.units = 1}}, MeanSquaredError{}).empty());
}

TEST(Cautions, NameLossAndLayerThatDoNotBelongTogether) {
  expect_caution(cautions({Dense{.units = 3, .name = "out"}}, SparseCategoricalCrossentropy{}),
                 "the loss sparse_categorical_crossentropy and layer 'out' at the end: the loss expects probabilities, but the last "
                 "activation is linear; take softmax, or from_logits: true");
  expect_caution(cautions({Dense{.units = 1, .activation = relu}}, BinaryCrossentropy{}), "is relu; take sigmoid");
  expect_caution(cautions({Dense{.units = 3, .activation = softmax}}, CategoricalCrossentropy{.from_logits = true}),
                 "from_logits: true expects logits, but they went through softmax");
  expect_caution(cautions({Dense{.units = 1, .activation = sigmoid}}, BinaryCrossentropy{.from_logits = true}), "through sigmoid");
  expect_caution(cautions({Dense{.units = 1, .activation = softmax}}, MeanSquaredError{}), "softmax over one unit is always 1");
}

TEST(RowFacts, CountRowsWeightsAndClasses) {
  Sequential model{Input{{1}}, Dense{.units = 3, .activation = softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  const RowFacts labels = model.check_rows(ArrayDataset({1}, {1, 2, 3, 4}, {2, 0, 2, 1}, {0.5F, 1, 2, 0}));
  EXPECT_EQ(labels.rows, 4);
  EXPECT_EQ(labels.weight, 3.5);
  EXPECT_EQ(labels.classes, (std::vector<std::int64_t>{1, 0, 2}));  // the row of weight 0 does not count
  model.compile({.loss = CategoricalCrossentropy{}});
  EXPECT_EQ(model.check_rows(ArrayDataset({1}, {1, 2}, {0, 0, 1, 0, 1, 0})).classes, (std::vector<std::int64_t>{0, 1, 1}));
  Sequential two{Input{{1}}, Dense{.units = 1, .activation = sigmoid}};
  two.compile({.loss = BinaryCrossentropy{}});
  EXPECT_EQ(two.check_rows(ArrayDataset({1}, {1, 2, 3}, {1, 0.5F, 1})).classes, (std::vector<std::int64_t>{0, 2}));
  two.compile({.loss = MeanSquaredError{}});
  EXPECT_TRUE(two.check_rows(ArrayDataset({1}, {1, 2, 3}, {1, 7, 1})).classes.empty());
}

TEST(RowFacts, AccuracyOfLogitsHasTheirThreshold) {
  Sequential model{Input{{1}}, Dense{.units = 1}};
  const ArrayDataset data({1}, {0.3F, -0.3F, 2, -2}, {1, 0, 1, 0});
  const auto accuracy = [&](const MetricSpec& metric) {
    model.compile({.loss = BinaryCrossentropy{.from_logits = true}, .metrics = {metric}});
    model.set_weights({{1}, {0}});
    return model.evaluate(data).values.back().second;
  };
  EXPECT_EQ(accuracy({Accuracy{}, "accuracy"}), 1);
  EXPECT_EQ(accuracy({BinaryAccuracy{}, "binary"}), 0.75);  // its own threshold of 0.5
}

}  // namespace
}  // namespace lockstep
