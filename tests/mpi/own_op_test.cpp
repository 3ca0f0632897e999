// An op that the library does not know, with a weight and a gradient that is no product, trained beside Dense layers.
#include <gtest/gtest.h>

#include <cmath>

#include "core/math/bfloat16.h"
#include "core/math/onednn/library.h"
#include "core/training/trainer.h"
#include "support/mpi_world.h"
#include "support/random_data.h"
#include "support/scale_op.h"

namespace lockstep {
namespace {

using test::built;
using test::scale_layer;
using test::target_rows;
using test::world;

constexpr std::int64_t kFeatures = 6, kOutputs = 2;

/// Which of the layers has no product: the first one with weights, one in the middle, or both.
struct Stack {
  bool scale_first, scale_inside;
  std::int64_t units;  ///< of the Dense layer between them
};

ModelState model_of(const Stack& stack, const OptimizerSpec& optimizer, const Regularizer& regularizer = {}) {
  ModelState state;
  state.seed = 5;
  std::vector<BuiltLayer> layers;
  if (stack.scale_first) layers.push_back(scale_layer(kFeatures, regularizer));
  layers.push_back(built(Dense{stack.units, tanh_}, kFeatures, layers.size(), state.seed));
  if (stack.scale_inside) layers.push_back(scale_layer(stack.units, regularizer));
  layers.push_back(built(Dense{kOutputs}, stack.units, layers.size(), state.seed));
  state.network = std::make_unique<Network>(std::move(layers), Shape{kFeatures}, state.seed);
  state.options = CompileOptions{.loss = MeanSquaredError{}, .optimizer = optimizer};
  std::vector<OptimizerVariable> ranges;
  for (const Variable& variable : state.network->variables()) ranges.push_back({variable.offset, elements(variable.shape)});
  state.optimizer =
      std::make_unique<Optimizer>(optimizer, static_cast<std::int64_t>(state.network->parameters().size()), std::move(ranges));
  return state;
}

struct Trained {
  std::vector<float> weights;
  std::vector<double> losses;
};

Trained train(ModelState& state, const Dataset& data, FitOptions options, int threads, const World& on) {
  options.threads = threads;
  const ThreadScope one(1);
  Trained trained;
  {
    const TrainingPlan plan = make_plan(state, data, options, on);
    Trainer trainer(state, data, plan, options, on);
    for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
      trainer.begin_epoch(epoch, 0);
      for (std::int64_t step = 0; step < trainer.sampler().steps(); ++step) trainer.step({});
      trained.losses.push_back(trainer.results()[0]);
    }
    trainer.complete();
  }
  trained.weights.assign(state.network->parameters().begin(), state.network->parameters().end());
  return trained;
}

Trained train(const Stack& stack, const OptimizerSpec& optimizer, const FitOptions& options, int threads, const World& on,
              const Regularizer& regularizer = {}) {
  ModelState state = model_of(stack, optimizer, regularizer);
  return train(state, target_rows(203, kFeatures, kOutputs), options, threads, on);
}

const std::vector<Stack> kStacks = {{true, false, 20}, {false, true, 20}, {true, true, 20}, {false, true, 205}};

TEST(OwnOp, TrainsToTheSameBitsOnAnyNumberOfRanksAndThreads) {
  for (const Stack& stack : kStacks) {
    for (const OptimizerSpec& optimizer :
         {OptimizerSpec(Sgd{.learning_rate = 0.05F}), OptimizerSpec(Adam{}), OptimizerSpec(Sgd{.options = {.clipnorm = 0.01F}})}) {
      for (const bool reproducible : {false, true}) {
        const FitOptions options{.epochs = 2, .batch_size = 32, .reproducible = reproducible};
        const Trained alone = train(stack, optimizer, options, 1, World());
        EXPECT_LT(alone.losses[1], alone.losses[0]);
        for (const int threads : {1, 2}) {
          const Trained all = train(stack, optimizer, options, threads, world());
          EXPECT_EQ(all.weights, alone.weights);
          EXPECT_EQ(all.losses, alone.losses);
        }
      }
    }
  }
}

TEST(OwnOp, TrainsBySumsOfGradients) {
  for (const Stack& stack : kStacks) {
    const FitOptions gradients{.epochs = 2, .batch_size = 3, .exchange = ExchangeKind::gradients}, factors{.epochs = 2, .batch_size = 3};
    const Trained all = train(stack, Sgd{.learning_rate = 0.02F}, gradients, 1, world());
    const Trained alone = train(stack, Sgd{.learning_rate = 0.02F}, factors, 1, World());
    ASSERT_EQ(all.weights.size(), alone.weights.size());
    for (std::size_t i = 0; i < all.weights.size(); ++i) ASSERT_NEAR(all.weights[i], alone.weights[i], 1e-4) << i;
  }
}

TEST(OwnOp, TrainsBesideProductsInBfloat16) {
  if (!has_bfloat16()) GTEST_SKIP() << "this CPU has no bfloat16";
  const ArrayDataset data = target_rows(203, kFeatures, kOutputs);
  const auto trained = [&](const Stack& stack, const OptimizerSpec& optimizer, ExchangeKind exchange, const World& on) {
    ModelState state = model_of(stack, optimizer);
    state.policy = DtypePolicy::mixed_bfloat16;
    return train(state, data, {.epochs = 2, .batch_size = 32, .exchange = exchange}, 1, on);
  };
  for (const Stack& stack : kStacks) {
    for (const OptimizerSpec& optimizer : {OptimizerSpec(Sgd{.learning_rate = 0.05F}), OptimizerSpec(Sgd{.momentum = 0.5F})}) {
      const Trained alone = trained(stack, optimizer, ExchangeKind::automatic, World());
      EXPECT_LT(alone.losses[1], alone.losses[0]);
      EXPECT_EQ(trained(stack, optimizer, ExchangeKind::automatic, world()).weights, alone.weights);
      const Trained summed = trained(stack, optimizer, ExchangeKind::gradients, world());
      for (std::size_t i = 0; i < alone.weights.size(); ++i) ASSERT_NEAR(summed.weights[i], alone.weights[i], 5e-3) << i;
    }
  }
}

/// The loss of all rows, as fit() would have it.
double loss_of(Network& network, const Dataset& data) {
  Pass pass(network, {.rows = data.rows(), .grains = 1});
  std::vector<float> truth(static_cast<std::size_t>(data.rows() * kOutputs)), weight(static_cast<std::size_t>(data.rows()));
  std::vector<std::int64_t> order;
  for (std::int64_t row = 0; row < data.rows(); ++row) order.push_back(row);
  const auto reader = data.open({{0, data.rows()}});
  reader->begin(order);
  reader->read(data.rows(), {pass.input(), truth.data(), weight.data()});
  pass.forward(Block{.training = true}, 1);
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += std::pow(static_cast<double>(pass.output()[i]) - static_cast<double>(truth[i]), 2);
  return sum / static_cast<double>(truth.size());
}

/// d loss / d w by central differences, for every weight; 0 in the padding.
std::vector<float> numeric_gradient(Network& network, const Dataset& data) {
  constexpr float kStep = 1.F / 64;
  std::vector<float> gradient(network.parameters().size());
  for (const Variable& variable : network.variables()) {
    for (std::int64_t i = variable.offset; i < variable.offset + elements(variable.shape); ++i) {
      float& weight = network.parameters()[static_cast<std::size_t>(i)];
      const float before = weight;
      weight = before + kStep;
      const double above = loss_of(network, data);
      weight = before - kStep;
      gradient[static_cast<std::size_t>(i)] = static_cast<float>((above - loss_of(network, data)) / (2 * kStep));
      weight = before;
    }
  }
  return gradient;
}

TEST(OwnOp, AStepFollowsTheNumericGradient) {
  constexpr float kRate = 0.25F;
  const ArrayDataset data = target_rows(41, kFeatures, kOutputs);
  for (const ExchangeKind exchange : {ExchangeKind::automatic, ExchangeKind::gradients}) {
    for (const Stack& stack : kStacks) {
      ModelState state = model_of(stack, Sgd{.learning_rate = kRate});
      const std::vector<float> before(state.network->parameters().begin(), state.network->parameters().end());
      const std::vector<float> gradient = numeric_gradient(*state.network, data);
      const Trained after = train(state, data, {.epochs = 1, .batch_size = 41, .exchange = exchange}, 1, world());
      for (std::size_t i = 0; i < before.size(); ++i) {
        ASSERT_NEAR((before[i] - after.weights[i]) / kRate, gradient[i], 2e-3) << "weight " << i;
      }
    }
  }
}

TEST(OwnOp, ItsWeightsArePenalized) {
  const Stack stack{true, true, 20};
  const FitOptions options{.epochs = 1, .batch_size = 203};
  const Regularizer l1{.l1 = 0.5F};
  const Trained plain = train(stack, Sgd{.learning_rate = 0.01F}, options, 1, world());
  const Trained penalized = train(stack, Sgd{.learning_rate = 0.01F}, options, 1, world(), l1);
  ModelState state = model_of(stack, Sgd{});
  for (const Variable& variable : state.network->variables()) {
    for (std::int64_t i = variable.offset; i < variable.offset + elements(variable.shape); ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_NEAR(plain.weights[at] - penalized.weights[at], variable.name == "scale" ? 0.005F : 0.F, 1e-6);  // rate * l1, all are near 1
    }
  }
  EXPECT_NEAR(penalized.losses[0] - plain.losses[0], 0.5 * (kFeatures + 20), 1e-4);
}

}  // namespace
}  // namespace lockstep
