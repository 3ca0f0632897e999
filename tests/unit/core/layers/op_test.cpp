#include "core/layers/op.h"

#include <gtest/gtest.h>

#include "core/network/network.h"
#include "support/numeric_gradient.h"
#include "support/scale_op.h"

namespace lockstep {
namespace {

using test::built;
using test::expect_numeric_gradient;
using test::scale_layer;

/// Rows of 3 numbers by way of 5 to 2.
Network small_network(const Dense& first = {5, relu}) {
  std::vector<BuiltLayer> layers;
  layers.push_back(built(first, 3, 0, 7));
  layers.push_back(scale_layer(5));
  layers.push_back(built(Dense{2}, 5, 2, 7));
  return Network(std::move(layers), {3}, 7);
}

TEST(Op, WeightsLieLastLayerFirstAndEachLayerStartsACacheLine) {
  Network network = small_network();
  const auto& ops = network.ops();
  ASSERT_EQ(ops.size(), 3U);
  EXPECT_EQ(ops[2]->slice().offset, 0);
  EXPECT_EQ(ops[2]->slice().count, 16);  // 5 * 2 + 2
  EXPECT_EQ(ops[1]->slice().offset, 16);
  EXPECT_EQ(ops[1]->slice().count, 16);
  EXPECT_EQ(ops[1]->padding(), 11);
  EXPECT_EQ(ops[0]->slice().offset, 32);
  EXPECT_EQ(ops[0]->slice().count, 32);  // 3 * 5 + 5
  EXPECT_EQ(network.parameters().size(), 64U);
  std::vector<std::string> names;
  for (const Variable& variable : network.variables()) names.push_back(variable.name);
  EXPECT_EQ(names, (std::vector<std::string>{"kernel", "bias", "scale", "kernel", "bias"}));
}

TEST(Op, InitialWeightsDependOnTheLayersPlaceAndNotOnOtherLayers) {
  Network network = small_network(), same({Dense{5, relu}, Activation{linear}, Dense{2}}, {3}, 7);
  for (const std::size_t i : {0U, 2U}) {
    const std::span<const float> found = network.ops()[i]->values(0), expected = same.ops()[i]->values(0);
    EXPECT_EQ(std::vector<float>(found.begin(), found.end()), std::vector<float>(expected.begin(), expected.end()));
  }
  for (const float value : network.ops()[1]->values(0)) EXPECT_EQ(value, 1.F);
}

TEST(Op, PartsCoverTheSliceWithoutGaps) {
  Network network({Dense{300, relu}, Dense{10}}, {784}, 0);
  for (const auto& op : network.ops()) {
    std::int64_t end = op->slice().offset;
    for (const VariableRange& part : op->parts()) {
      EXPECT_EQ(part.offset, end);
      end += part.count;
    }
    EXPECT_EQ(end, op->slice().offset + op->slice().count);
  }
  EXPECT_EQ(network.ops()[0]->parts().size(), 25U);  // 32 rows of the kernel each
  EXPECT_EQ(network.ops()[1]->parts().size(), 1U);
}

TEST(Op, ALayerWithoutTrainableWeightsListsTheOthers) {
  Network network({Normalization{}, Dense{2}}, {3}, 0);
  Op& op = *network.ops()[0];
  ASSERT_EQ(op.weights().size(), 3U);
  EXPECT_FALSE(op.trainable());
  EXPECT_EQ(op.weights()[1].name, "variance");
  EXPECT_EQ(op.weights()[1].shape, Shape{3});
  EXPECT_EQ(op.values(1).size(), 3U);
  EXPECT_EQ(op.values(1)[2], 1.F);
  EXPECT_EQ(op.values(2).size(), 1U);  // count
  EXPECT_EQ(network.first_trainable(), 1U);
}

TEST(Op, GradientIsThatOfTheOutput) {
  Network network = small_network(Dense{5, tanh_});
  expect_numeric_gradient(network, 4);
}

TEST(Op, GradientOfAProductIsSummedOverTheVectorsOfARow) {
  Network network({Dense{4, sigmoid}, Dense{.units = 3, .use_bias = false}, Flatten{}, Dense{2, gelu}}, {2, 3}, 1);
  expect_numeric_gradient(network, 3);
}

// The loss of several distributions in a row is not that of one.
TEST(Op, ALossTakesTheLogitsOfASoftmaxOverTheWholeRowOnly) {
  EXPECT_TRUE(Network({Dense{5, softmax}}, {4}, 0).ends_in(softmax));
  EXPECT_TRUE(Network({Dense{5}, Activation{softmax}}, {4}, 0).ends_in(softmax));
  EXPECT_FALSE(Network({Dense{5, softmax}, Flatten{}}, {2, 4}, 0).ends_in(softmax));
  EXPECT_FALSE(Network({Dense{5}, Activation{softmax}, Flatten{}}, {2, 4}, 0).ends_in(softmax));
  EXPECT_FALSE(Network({Conv1D{.filters = 5, .kernel_size = 1, .activation = softmax}, Flatten{}}, {2, 4}, 0).ends_in(softmax));
  EXPECT_TRUE(Network({Dense{5, sigmoid}, Flatten{}}, {2, 4}, 0).ends_in(sigmoid));
}

}  // namespace
}  // namespace lockstep
