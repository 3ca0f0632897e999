// Training in mixed_bfloat16: the same bits at any number of ranks and threads of a host, whatever is exchanged near to one rank.
#include "core/math/bfloat16.h"

#include <gtest/gtest.h>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::world;

struct Trained {
  std::vector<std::vector<float>> weights;
  std::map<std::string, std::vector<double>> history;
};

struct Case {
  OptimizerSpec optimizer;
  Regularizer regularizer;
  float tolerance;  // of a weight after summed gradients; Adam turns a difference near zero into a step of another sign
};

/// Wide enough that the first layer has several blocks of kernel rows; odd lengths everywhere.
Trained train(const Case& with, FitOptions options, const World& on) {
  Sequential model{Dense{.units = 101, .activation = relu, .kernel_regularizer = with.regularizer}, Dropout{0.2F},
                   Dense{.units = 53, .activation = gelu, .use_bias = false}, Dense{5, softmax}};
  model.set_seed(11);
  model.set_dtype_policy(DtypePolicy::mixed_bfloat16);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = with.optimizer, .metrics = {accuracy}});
  options.epochs = 2;
  options.verbose = 0;
  const History history = model.fit(labelled_rows(203, 157, 5), options, on);
  return {model.get_weights(), history.history};
}

class MixedBfloat16 : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!has_bfloat16()) GTEST_SKIP() << "this CPU has no AVX512_BF16";
  }
};

TEST_P(MixedBfloat16, GivesTheSameBitsAtAnyNumberOfRanksAndThreads) {
  for (const std::int64_t batch : {3, 50}) {
    const Trained alone = train(GetParam(), {.batch_size = batch, .threads = 1}, World());
    for (const int threads : {1, 2}) {
      const Trained all = train(GetParam(), {.batch_size = batch, .threads = threads}, world());
      EXPECT_EQ(all.weights, alone.weights) << "batch " << batch << ", " << threads << " threads";
      EXPECT_EQ(all.history, alone.history) << "batch " << batch << ", " << threads << " threads";
    }
  }
}

// Every rank forms its own part of the gradient; a sum that falls on the other side of a rounding is 2^-8 off from then on.
TEST_P(MixedBfloat16, WithSummedGradientsIsNearOneRank) {
  const Trained alone = train(GetParam(), {.batch_size = 40, .threads = 1}, World());
  const Trained all = train(GetParam(), {.batch_size = 40, .threads = 1, .exchange = ExchangeKind::gradients}, world());
  for (std::size_t epoch = 0; epoch < 2; ++epoch) EXPECT_NEAR(all.history.at("loss")[epoch], alone.history.at("loss")[epoch], 1e-2);
  for (std::size_t w = 0; w < alone.weights.size(); ++w) {
    for (std::size_t i = 0; i < alone.weights[w].size(); ++i) ASSERT_NEAR(all.weights[w][i], alone.weights[w][i], GetParam().tolerance);
  }
}

// Plain SGD changes the kernels in place.
INSTANTIATE_TEST_SUITE_P(Optimizers, MixedBfloat16, testing::Values(Case{Sgd{}, {}, 1e-3F}, Case{Adam{}, {.l2 = 1e-3F}, 0.02F}),
                         [](const auto& instance) { return class_name(instance.param.optimizer); });

}  // namespace
}  // namespace lockstep
