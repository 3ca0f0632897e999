// Every optimizer, each with options of its own, gives the same bits on any number of ranks and threads, whatever ranks exchange. Trained
// on the job's ranks and, beside it, on every rank alone.
#include <gtest/gtest.h>

#include <cmath>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::world;

/// Kernels of several blocks, the first one taller than wide.
Sequential made(const OptimizerSpec& optimizer) {
  Sequential model{Dense{.units = 61, .activation = relu, .kernel_regularizer = {.l2 = 1e-3F}}, Dense{70, gelu}, Dense{5, softmax}};
  model.set_seed(11);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer});
  return model;
}

std::vector<std::vector<float>> train(const OptimizerSpec& optimizer, FitOptions options, const World& on) {
  Sequential model = made(optimizer);
  options.epochs = 2;
  options.batch_size = 32;
  options.verbose = 0;
  model.fit(labelled_rows(75, 157, 5), options, on);
  return model.get_weights();
}

double largest_difference(const std::vector<std::vector<float>>& some, const std::vector<std::vector<float>>& other) {
  double largest = 0;
  for (std::size_t w = 0; w < some.size(); ++w) {
    for (std::size_t i = 0; i < some[w].size(); ++i)
      largest = std::max(largest, std::fabs(static_cast<double>(some[w][i]) - static_cast<double>(other[w][i])));
  }
  return largest;
}

void expect_same_bits(const OptimizerSpec& optimizer, const std::string& what) {
  const auto alone = train(optimizer, {.threads = 1}, World());
  EXPECT_EQ(train(optimizer, {.threads = 2}, world()), alone) << what;
  EXPECT_EQ(train(optimizer, {.threads = 1, .reproducible = true}, world()),
            train(optimizer, {.threads = 1, .reproducible = true}, World()))
      << what << ", in a tree";
  const auto summed = train(optimizer, {.threads = 1, .exchange = ExchangeKind::gradients}, world());
  EXPECT_LT(largest_difference(summed, alone), 0.03) << what;  // a gradient near 0 may turn the sign of a step
}

TEST(Optimizers, GiveTheSameBitsAtAnyNumberOfRanks) {
  for_each_alternative<OptimizerSpec>([](const OptimizerSpec& optimizer) { expect_same_bits(optimizer, class_name(optimizer)); });
}

TEST(Optimizers, DoSoWithTheirOptions) {
  expect_same_bits(Lamb{.options = {.weight_decay = 0.01F, .exclude_from_weight_decay = {"bias"}}}, "Lamb");
  expect_same_bits(Lars{.learning_rate = 1, .options = {.clipnorm = 0.1F}}, "LARS");
  expect_same_bits(Adafactor{.options = {.gradient_accumulation_steps = 2}}, "Adafactor");
  expect_same_bits(Muon{.options = {.clipvalue = 0.1F, .use_ema = true}}, "Muon");
  expect_same_bits(Sgd{.options = {.use_ema = true, .ema_momentum = 0.9F, .ema_overwrite_frequency = 3}}, "SGD");
  expect_same_bits(AdamW{.options = {.global_clipnorm = 0.1F, .gradient_accumulation_steps = 3, .exclude_from_weight_decay = {"bias"}}},
                   "AdamW");
  expect_same_bits(Sgd{.learning_rate = CosineDecay{.initial_learning_rate = 0.1F, .decay_steps = 5}}, "a schedule");
}

TEST(Optimizers, AveragesTakeThePlaceOfTheWeightsAtTheEnd) {
  Sequential model = made(Sgd{.options = {.use_ema = true}});
  model.fit(labelled_rows(75, 157, 5), {.epochs = 2, .batch_size = 32, .threads = 1, .verbose = 0}, world());
  const auto weights = model.get_weights();
  for (std::size_t w = 0; w < weights.size(); ++w) {
    const std::span<const float> average = model.optimizer_view(0, w);
    EXPECT_EQ(weights[w], std::vector<float>(average.begin(), average.end()));
  }
}

}  // namespace
}  // namespace lockstep
