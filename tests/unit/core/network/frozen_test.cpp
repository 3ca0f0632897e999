// Layers that are not trainable.
#include <gtest/gtest.h>

#include "core/training/sequential.h"
#include "support/numeric_gradient.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;

TEST(Frozen, WeightsLieBehindThoseThatAreTrained) {
  Network network({Dense{3}, Dense{.units = 4, .trainable = false}, Dense{2}}, {5}, 7);
  ASSERT_EQ(network.variables().size(), 4U);
  EXPECT_EQ(network.variables()[2].layer, 2U);
  EXPECT_EQ(network.trainable_parameters(), 16 + 32);  // dense_2: 8, padded to 16; dense: 18, padded to 32
  EXPECT_EQ(network.ops()[1]->slice().offset, 48);
  EXPECT_EQ(network.parameters().size(), 64U);
  EXPECT_EQ(network.first_trainable(), 0U);
}

TEST(Frozen, InitialWeightsAreTheSame) {
  Network frozen({Dense{3}, Dense{.units = 4, .trainable = false}, Dense{2}}, {5}, 7), trained({Dense{3}, Dense{4}, Dense{2}}, {5}, 7);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t w = 0; w < 2; ++w) {
      const std::span<const float> mine = frozen.ops()[i]->values(w), other = trained.ops()[i]->values(w);
      EXPECT_TRUE(std::equal(mine.begin(), mine.end(), other.begin())) << i << " " << w;
    }
  }
}

TEST(Frozen, GradientGoesThroughTheLayer) {
  Network network({Dense{3}, Dense{.units = 4, .activation = tanh_, .trainable = false}, BatchNormalization{.trainable = false}, Dense{2}},
                  {5}, 7);
  const std::span<float> variance = network.ops()[2]->values(3);
  std::fill(variance.begin(), variance.end(), 4.F);
  expect_numeric_gradient(network, 6);
}

TEST(Frozen, BackwardEndsBeforeIt) {
  Network network({Dense{.units = 3, .trainable = false}, Dense{4}}, {5}, 7);
  EXPECT_EQ(network.first_trainable(), 1U);
}

TEST(Frozen, BatchNormalizationKeepsAndUsesItsAverages) {
  Network network({BatchNormalization{.epsilon = 1, .trainable = false}}, {1}, 0);
  network.ops()[0]->values(2)[0] = 5;
  network.ops()[0]->values(3)[0] = 3;
  Pass pass(network, {.rows = 2, .grains = 1});
  pass.input()[0] = 7;
  pass.input()[1] = 1;
  pass.forward({.training = true}, 1);
  EXPECT_FLOAT_EQ(pass.output()[0], 1);  // (7 - 5) / sqrt(3 + 1)
  EXPECT_FLOAT_EQ(pass.output()[1], -2);
  EXPECT_EQ(network.ops()[0]->values(2)[0], 5);
  EXPECT_EQ(network.ops()[0]->values(3)[0], 3);
}

TEST(Frozen, FitChangesTheOthersAndSlotsAreTheirs) {
  std::vector<float> x, y;
  for (int i = 0; i < 60; ++i) x.push_back(std::sin(static_cast<float>(i)));
  for (int i = 0; i < 20; ++i) y.push_back(std::cos(static_cast<float>(i)));
  const ArrayDataset data({3}, x, y);
  Sequential model{Input{{3}}, Dense{4}, Dense{.units = 5, .kernel_regularizer = {.l2 = 100}, .trainable = false},
                   BatchNormalization{.trainable = false}, Dense{1}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{}});
  const auto before = model.get_weights();
  const History history = model.fit(data, {.batch_size = 5, .verbose = 0});
  const auto after = model.get_weights();
  ASSERT_EQ(before.size(), 10U);
  for (std::size_t w = 0; w < before.size(); ++w) EXPECT_EQ(before[w] == after[w], w >= 2 && w < 8) << w;
  EXPECT_LT(history.history.at("loss")[0], 10) << "Keras adds the penalties of trainable weights only";
  EXPECT_EQ(model.optimizer()->slots()[0].values.size(), 16 + 16);
  EXPECT_NE(model.summary().find(" Trainable params: 22 (88.00 B)\n Non-trainable params: 45 (180.00 B)\n Optimizer params: 46 "),
            std::string::npos)
      << model.summary();
}

TEST(Frozen, NothingIsLeftToTrain) {
  const ArrayDataset data({1}, {1, 2, 3, 4}, {1, 2, 3, 4});
  Sequential model{Input{{1}}, Dense{.units = 1, .trainable = false}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Sgd{}});
  const auto before = model.get_weights();
  model.fit(data, {.batch_size = 2, .verbose = 0});
  EXPECT_EQ(model.get_weights(), before);
}

}  // namespace
}  // namespace lockstep
