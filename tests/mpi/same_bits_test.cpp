// One host: training gives the same bits on any number of ranks and threads, whatever the optimizer. Trained on the job's ranks and, beside
// it, on every rank alone.
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "core/training/plan.h"
#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::target_rows;
using test::world;

struct Trained {
  std::vector<std::vector<float>> weights;
  std::map<std::string, std::vector<double>> history;
  std::uint64_t digest = 0;
};

Trained train(Sequential model, const Dataset& data, std::int64_t batch, int threads, const World& on, bool reproducible = false) {
  const History history =
      model.fit(data, {.epochs = 2, .batch_size = batch, .threads = threads, .reproducible = reproducible, .verbose = 0}, on);
  return {model.get_weights(), history.history, model.digest()};
}

void expect_same_bits(const Trained& some, const Trained& alone, const std::string& what) {
  EXPECT_EQ(some.weights, alone.weights) << what;
  EXPECT_EQ(some.history, alone.history) << what;
  EXPECT_EQ(some.digest, alone.digest) << what;
}

/// Wide enough that every layer has several blocks of kernel rows, the last one short.
Sequential wide(const OptimizerSpec& optimizer, const Regularizer& regularizer = {}, Arithmetic arithmetic = Arithmetic::onednn) {
  Sequential model{Dense{.units = 101, .activation = relu, .kernel_regularizer = regularizer}, Dropout{0.2F},
                   Dense{.units = 53, .activation = gelu, .use_bias = false}, Dense{5, softmax}};
  model.set_seed(11);
  model.set_arithmetic(arithmetic);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
  return model;
}

struct Case {
  std::string name;
  OptimizerSpec optimizer;
  Regularizer regularizer = {};
  Arithmetic arithmetic = Arithmetic::onednn;
};

class SameBits : public testing::TestWithParam<Case> {};

TEST_P(SameBits, AtAnyNumberOfRanksAndThreads) {
  const ArrayDataset data = labelled_rows(203, 157, 5);
  const auto& [name, optimizer, regularizer, arithmetic] = GetParam();
  for (const std::int64_t batch : {3, 32, 50}) {
    const Trained alone = train(wide(optimizer, regularizer, arithmetic), data, batch, 1, World());
    for (const int threads : {1, 2}) {
      const Trained all = train(wide(optimizer, regularizer, arithmetic), data, batch, threads, world());
      expect_same_bits(all, alone, "batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
    }
  }
}

// Where a batch's factors are larger than a kernel, its gradients are summed in a tree over grains.
TEST_P(SameBits, WithSumsInATree) {
  const ArrayDataset data = labelled_rows(203, 157, 5);
  const auto& [name, optimizer, regularizer, arithmetic] = GetParam();
  for (const std::int64_t batch : {3, 50, 203}) {
    const Trained alone = train(wide(optimizer, regularizer, arithmetic), data, batch, 1, World(), true);
    const Trained all = train(wide(optimizer, regularizer, arithmetic), data, batch, 2, world(), true);
    expect_same_bits(all, alone, "batch " + std::to_string(batch));
    if (batch == 3) continue;  // one grain: there is nothing to sum
    const Trained factors = train(wide(optimizer, regularizer, arithmetic), data, batch, 1, World());
    EXPECT_NE(factors.digest, alone.digest) << "the tree was not used";
    EXPECT_NEAR(factors.history.at("loss").back(), alone.history.at("loss").back(), 1e-4);
  }
}

TEST(SameBits, TellWhichLayersAreSummedInATree) {
  const ArrayDataset data = labelled_rows(203, 157, 5);
  Sequential model = wide(Sgd{});
  const auto exchanges = [&](std::int64_t batch) {
    return model.plan(data, {.batch_size = batch, .reproducible = true}, world()).exchanges();
  };
  EXPECT_EQ(exchanges(3), "dense: factors, dense_1: factors, dense_2: tree");  // 8 (53 + 5) >= 53 x 5
  EXPECT_EQ(exchanges(50), "dense: tree, dense_1: tree, dense_2: tree");       // 64 (157 + 101) >= 157 x 101
}

TEST(SameBits, AreRefusedWithAForcedAllreduce) {
  const ArrayDataset data = labelled_rows(20, 157, 5);
  Sequential model = wide(Sgd{});
  EXPECT_THROW(model.fit(data, {.allreduce = AllreduceAlgorithm::ring, .reproducible = true, .verbose = 0}, world()), AgreedError);
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, SameBits,
    testing::Values(Case{"sgd", Sgd{}}, Case{"regularized", Sgd{}, {.l1 = 1e-4F, .l2 = 1e-3F}},
                    Case{"momentum", Sgd{.momentum = 0.9F, .nesterov = true, .options = {.clipvalue = 0.01F}}},
                    Case{"decay", Sgd{.options = {.weight_decay = 0.01F}}}, Case{"adam", Adam{.amsgrad = true}},
                    Case{"portable", Sgd{}, {}, Arithmetic::portable}, Case{"portable_adam", Adam{}, {}, Arithmetic::portable},
                    Case{"adamw", AdamW{.options = {.clipnorm = 0.1F}}, {.l2 = 1e-3F}},
                    Case{"rmsprop", RMSprop{.momentum = 0.5F, .centered = true, .options = {.global_clipnorm = 0.1F}}}),
    [](const auto& instance) { return instance.param.name; });

// Plain SGD in portable arithmetic cuts the first layer into columns: 4 x 48 and a rest, 6 x 48 and a rest, and blocks of a large kernel.
// Which of them stay with a rank differs with the number of ranks, the batch, and how far the cores are from one another.
TEST(SameBits, OfAFirstLayerThatIsSharedByColumns) {
  const ArrayDataset data = labelled_rows(203, 157, 5);
  for (const std::int64_t units : {205, 300, 1800}) {
    const auto make = [&] {
      Sequential model{Dense{.units = units, .activation = relu}, Dense{5, softmax}};
      model.set_seed(11);
      model.set_arithmetic(Arithmetic::portable);
      model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{}, .metrics = {accuracy}});
      return model;
    };
    for (const std::int64_t batch : {3, 32, 203}) {
      const Trained alone = train(make(), data, batch, 1, World());
      for (const int threads : {1, 2}) {
        expect_same_bits(train(make(), data, batch, threads, world()), alone,
                         std::to_string(units) + " units, batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
      }
    }
  }
}

TEST(SameBits, OfALayerThatIsAppliedToEveryVectorOfARow) {
  const auto make = [] {
    Sequential model{Input{{6, 60}}, Dense{7, tanh_}, Flatten{}, Dense{2}};
    model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{}});
    return model;
  };
  std::vector<float> features(77 * 6 * 60), truth(77 * 2);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = std::cos(static_cast<float>(i));
  const ArrayDataset data({6, 60}, features, truth);
  expect_same_bits(train(make(), data, 17, 1, world()), train(make(), data, 17, 1, World()), "(T, D)");
}

/// Statistics of the whole batch in the first layer and in the middle.
Sequential with_statistics(const OptimizerSpec& optimizer) {
  Sequential model{BatchNormalization{}, Dense{19},        BatchNormalization{.momentum = 0.5F}, Activation{relu}, Dense{6},
                   Activation{tanh_},    Dense{5, softmax}};
  model.set_seed(11);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
  return model;
}

TEST(SameBits, OfStatisticsOfTheBatch) {
  const ArrayDataset data = labelled_rows(203, 60, 5);
  for (const OptimizerSpec& optimizer : {OptimizerSpec(Sgd{}), OptimizerSpec(Adam{.options = {.clipnorm = 0.1F}})}) {
    for (const std::int64_t batch : {13, 203}) {
      for (const bool reproducible : {false, true}) {
        const Trained alone = train(with_statistics(optimizer), data, batch, 1, World(), reproducible);
        for (const int threads : {1, 2}) {
          expect_same_bits(train(with_statistics(optimizer), data, batch, threads, world(), reproducible), alone,
                           "batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
        }
      }
    }
  }
}

/// Images of 8 x 9 by convolutions of several kinds, with statistics of the batch between them.
Sequential convolutional(const OptimizerSpec& optimizer) {
  Sequential model{Input{{8, 9, 1}},
                   Conv2D{.filters = 6, .kernel_size = 3, .padding = Padding::same, .kernel_regularizer = {.l2 = 1e-3F}},
                   BatchNormalization{},
                   Activation{relu},
                   MaxPooling2D{},
                   SeparableConv2D{.filters = 7, .kernel_size = 3, .padding = Padding::same, .activation = gelu},
                   Conv2DTranspose{.filters = 3, .kernel_size = 2, .strides = 2, .activation = tanh_},
                   AveragePooling2D{.pool_size = 2},
                   Flatten{},
                   Dense{5, softmax}};
  model.set_seed(11);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
  return model;
}

TEST(SameBits, OfConvolutions) {
  std::vector<float> features(150 * 72), truth(150);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = std::sin(static_cast<float>(i % 1000 * i));
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = static_cast<float>(i % 5);
  const ArrayDataset data({8, 9, 1}, features, truth);
  const OptimizerSpec plain = Sgd{}, adam = Adam{.options = {.clipnorm = 0.1F}};
  for (const auto& [optimizer, batch, threads] : std::vector<std::tuple<OptimizerSpec, std::int64_t, int>>{
           {plain, 13, 1}, {plain, 32, 2}, {plain, 150, 1}, {adam, 32, 1}, {adam, 150, 2}}) {
    const Trained alone = train(convolutional(optimizer), data, batch, 1, World());
    expect_same_bits(train(convolutional(optimizer), data, batch, threads, world()), alone,
                     "batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
  }
}

TEST(SameBits, WithConstraints) {
  const ArrayDataset data = labelled_rows(203, 60, 5);
  const auto make = [](const OptimizerSpec& optimizer) {
    Sequential model{
        Dense{.units = 205, .activation = relu, .kernel_constraint = MaxNorm{.max_value = 0.7F}},
        Dense{.units = 19, .activity_regularizer = {.l2 = 0.01F}, .kernel_constraint = UnitNorm{.axis = {1}}, .bias_constraint = NonNeg{}},
        Dense{5, softmax}};
    model.set_seed(11);
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
    return model;
  };
  for (const OptimizerSpec& optimizer : {OptimizerSpec(Sgd{}), OptimizerSpec(Adam{})}) {
    const Trained alone = train(make(optimizer), data, 32, 1, World());
    for (const int threads : {1, 2}) expect_same_bits(train(make(optimizer), data, 32, threads, world()), alone, "constraints");
    double longest = 0;
    for (std::size_t c = 0; c < 205; ++c) {
      double squares = 0;
      for (std::size_t r = 0; r < 60; ++r) squares += std::pow(static_cast<double>(alone.weights[0][r * 205 + c]), 2);
      longest = std::max(longest, std::sqrt(squares));
    }
    EXPECT_NEAR(longest, 0.7, 1e-4);
  }
}

TEST(SameBits, OfNormalizationWithinRows) {
  const ArrayDataset data = labelled_rows(203, 60, 5);
  const auto make = [] {
    Sequential model{Dense{24},           LayerNormalization{}, Activation{relu}, Dense{18}, GroupNormalization{.groups = 3},
                     UnitNormalization{}, Dense{5, softmax}};
    model.set_seed(11);
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Adam{}, .metrics = {accuracy}});
    return model;
  };
  for (const bool reproducible : {false, true}) {
    const Trained alone = train(make(), data, 50, 1, World(), reproducible);
    for (const int threads : {1, 2}) expect_same_bits(train(make(), data, 50, threads, world(), reproducible), alone, "rows");
  }
}

TEST(SameBits, OfAnEmbedding) {
  std::vector<float> words(203 * 6), truth(203);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<float>(i * i % 997);
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = static_cast<float>(i % 5);
  const ArrayDataset data({6}, words, truth);
  const auto make = [](const OptimizerSpec& optimizer) {
    Sequential model{Embedding{.input_dim = 1000, .output_dim = 11}, Flatten{}, Dense{5, softmax}};
    model.set_seed(11);
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
    return model;
  };
  for (const OptimizerSpec& optimizer : {OptimizerSpec(Sgd{}), OptimizerSpec(Sgd{.momentum = 0.9F}), OptimizerSpec(Adam{})}) {
    for (const bool reproducible : {false, true}) {
      const Trained alone = train(make(optimizer), data, 50, 1, World(), reproducible);
      for (const int threads : {1, 2}) expect_same_bits(train(make(optimizer), data, 50, threads, world(), reproducible), alone, "words");
    }
  }
  Sequential model = make(Sgd{}), summed = make(Sgd{});
  EXPECT_EQ(model.plan(data, {.batch_size = 50, .reproducible = true}, world()).exchanges(), "embedding: factors, dense: tree");
  model.fit(data, {.batch_size = 50, .verbose = 0}, World());
  summed.fit(data, {.batch_size = 50, .exchange = ExchangeKind::gradients, .verbose = 0}, world());
  const std::vector<float> one = model.get_weights()[0], other = summed.get_weights()[0];
  for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], other[i], 1e-5);
}

TEST(SameBits, OfLayersThatAreNotTrained) {
  const ArrayDataset data = labelled_rows(203, 60, 5);
  const auto make = [](bool first) {
    Sequential model{Dense{.units = 205, .activation = relu, .trainable = !first}, BatchNormalization{.trainable = false},
                     Dense{.units = 19, .trainable = first}, Dense{5, softmax}};
    model.set_seed(11);
    model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{}, .metrics = {accuracy}});
    return model;
  };
  for (const bool first : {false, true}) {
    for (const bool reproducible : {false, true}) {
      const Trained alone = train(make(first), data, 32, 1, World(), reproducible);
      for (const int threads : {1, 2}) expect_same_bits(train(make(first), data, 32, threads, world(), reproducible), alone, "frozen");
    }
    Sequential summed = make(first);
    const auto before = (summed.build({60}), summed.get_weights());
    summed.fit(data, {.epochs = 1, .batch_size = 32, .exchange = ExchangeKind::gradients, .verbose = 0}, world());
    for (std::size_t w = 0; w < before.size(); ++w) {
      const bool frozen = w < 2 ? first : w < 6 || (w < 8 && !first);
      EXPECT_EQ(summed.get_weights()[w] == before[w], frozen) << w;
    }
  }
}

TEST(SameBits, OfStatisticsWhereGradientsAreSummed) {
  const ArrayDataset data = labelled_rows(203, 60, 5);
  Sequential all = with_statistics(Sgd{}), alone = with_statistics(Sgd{});
  all.fit(data, {.epochs = 2, .batch_size = 32, .threads = 1, .exchange = ExchangeKind::gradients, .verbose = 0}, world());
  alone.fit(data, {.epochs = 2, .batch_size = 32, .threads = 1, .verbose = 0}, World());
  const auto mine = all.get_weights(), other = alone.get_weights();
  ASSERT_EQ(mine.size(), other.size());
  for (std::size_t w = 0; w < mine.size(); ++w) {
    for (std::size_t i = 0; i < mine[w].size(); ++i) ASSERT_NEAR(mine[w][i], other[w][i], 2e-4) << "weight " << w;
  }
}

/// Everything that draws random numbers, and weights that are no product's.
Sequential with_random_numbers(const OptimizerSpec& optimizer) {
  Sequential model{Reshape{{5, 4, 3}},
                   RandomFlip{},
                   RandomTranslation{0.3F, 0.3F},
                   Dense{8},
                   PReLU{.shared_axes = {1, 2}},
                   SpatialDropout2D{0.2F},
                   GaussianDropout{0.2F},
                   Reshape{{20, 8}},
                   SpatialDropout1D{0.2F},
                   Dropout{.rate = 0.2F, .noise_shape = {1, {}, 1}},
                   GaussianNoise{0.1F},
                   PReLU{},
                   ActivityRegularization{.l1 = 0.01F, .l2 = 0.01F},
                   Flatten{},
                   Dense{5, softmax}};
  model.set_seed(11);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
  return model;
}

TEST(SameBits, OfRandomNumbersAndWeightsOfActivations) {
  const ArrayDataset data = labelled_rows(103, 60, 5);
  for (const std::int64_t batch : {13, 103}) {
    for (const bool reproducible : {false, true}) {
      const Trained alone = train(with_random_numbers(Adam{}), data, batch, 1, World(), reproducible);
      for (const int threads : {1, 2}) {
        expect_same_bits(train(with_random_numbers(Adam{}), data, batch, threads, world(), reproducible), alone,
                         "batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
      }
    }
  }
}

/// Rows with three flags each and weights that are no whole numbers.
ArrayDataset flagged_rows(std::int64_t rows) {
  std::vector<float> x, y, weights;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < 7; ++k) x.push_back(std::sin(static_cast<float>(r * r + 3 * k)));
    for (std::int64_t k = 0; k < 3; ++k)
      y.push_back(x[static_cast<std::size_t>(r * 7 + k)] + std::cos(static_cast<float>(r * k)) > 0 ? 1.F : 0.F);
    weights.push_back(0.1F + std::abs(std::cos(static_cast<float>(r))));
  }
  return {{7}, std::move(x), std::move(y), std::move(weights)};
}

std::vector<MetricSpec> many_metrics() {
  F1Score f1;
  f1.average = Average::macro;
  FBetaScore f2;
  f2.average = Average::weighted;
  f2.threshold = 0.3F;
  std::vector<MetricSpec> metrics = {{Auc{}},
                                     {Auc{.curve = Curve::pr, .multi_label = true}, "pr"},
                                     {Precision{{.top_k = 1}}},
                                     {RecallAtPrecision{{.value = 0.4F}}},
                                     {TruePositives{}},
                                     {f1},
                                     {f2},
                                     {BinaryIoU{}},
                                     {R2Score{}},
                                     {CosineSimilarityMetric{}},
                                     {LossMetric<BinaryCrossentropy>{}},
                                     {RootMeanSquaredError{}}};
  for (std::size_t i = 0, count = metrics.size(); i < count; ++i) metrics.push_back(weighted(metrics[i]));
  return metrics;
}

Sequential scored(const LossSpec& loss, Reduction reduction) {
  Sequential model{Dense{.units = 20, .activation = relu}, Dense{3, sigmoid}};
  model.set_seed(3);
  model.compile({.loss = loss, .optimizer = Sgd{.learning_rate = 0.01F}, .metrics = many_metrics(), .reduction = reduction});
  return model;
}

void expect_same_scores(Sequential (*make)(const LossSpec&, Reduction), const LossSpec& loss, Reduction reduction, const Dataset& data) {
  for (const std::int64_t batch : {9, 50}) {
    const auto scores_of = [&](const World& on, int threads) {
      Sequential model = make(loss, reduction);
      Trained trained = train(make(loss, reduction), data, batch, threads, on);
      model.fit(data, {.epochs = 1, .batch_size = batch, .validation_data = &data, .threads = threads, .verbose = 0}, on);
      const Scores scores = model.evaluate(data, on, model.classes() > 0);
      for (const auto& [name, value] : scores.values) trained.history["evaluated " + name] = {value};
      trained.history["confusion"].assign(scores.confusion.begin(), scores.confusion.end());
      return trained;
    };
    const Trained alone = scores_of(World(), 1);
    for (const auto& [name, values] : alone.history) {
      for (const double value : values) EXPECT_TRUE(std::isfinite(value)) << name;
    }
    for (const int threads : {1, 2})
      expect_same_bits(scores_of(world(), threads), alone,
                       name_of(loss) + ", batch " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
  }
}

TEST(SameBits, OfMetricsAndLosses) {
  const ArrayDataset data = flagged_rows(131);
  for (const auto& [loss, reduction] :
       std::vector<std::pair<LossSpec, Reduction>>{{BinaryFocalCrossentropy{}, Reduction::sum_over_batch_size},
                                                   {BinaryCrossentropy{}, Reduction::sum},
                                                   {Dice{}, Reduction::sum_over_batch_size},
                                                   {Tversky{}, Reduction::mean_with_sample_weight},
                                                   {MeanSquaredError{}, Reduction::mean_with_sample_weight}}) {
    expect_same_scores(scored, loss, reduction, data);
  }
}

Sequential classified(const LossSpec& loss, Reduction reduction) {
  MeanIoU iou;
  iou.num_classes = 5;
  iou.sparse_y_pred = false;
  Sequential model{Dense{.units = 20, .activation = relu}, Dense{5, softmax}};
  model.set_seed(3);
  model.compile({.loss = loss,
                 .optimizer = Sgd{.learning_rate = 0.01F},
                 .metrics = {accuracy, {iou}, {LossMetric<SparseCategoricalCrossentropy>{}}, weighted({iou}), weighted(accuracy)},
                 .reduction = reduction});
  return model;
}

TEST(SameBits, OfClassesOfWhichOneIsIgnored) {
  const ArrayDataset data = labelled_rows(131, 9, 5, true);
  for (const Reduction reduction : {Reduction::sum_over_batch_size, Reduction::sum, Reduction::mean_with_sample_weight})
    expect_same_scores(classified, SparseCategoricalCrossentropy{.ignore_class = 1}, reduction, data);
}

TEST(SameBits, AfterMomentumIsCarriedIntoASecondFit) {
  const ArrayDataset data = labelled_rows(90, 60, 5);
  Sequential all = wide(Adam{}), alone = wide(Adam{});
  for (int i = 0; i < 2; ++i) {
    all.fit(data, {.epochs = 1, .batch_size = 20, .threads = 1, .verbose = 0}, world());
    alone.fit(data, {.epochs = 1, .batch_size = 20, .threads = 1, .verbose = 0}, World());
  }
  EXPECT_EQ(all.digest(), alone.digest());
  const auto& slots = all.optimizer()->slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::span<const float> mine = slots[i].values.span(), other = alone.optimizer()->slots()[i].values.span();
    EXPECT_TRUE(std::equal(mine.begin(), mine.end(), other.begin())) << slots[i].name;
  }
}

}  // namespace
}  // namespace lockstep
