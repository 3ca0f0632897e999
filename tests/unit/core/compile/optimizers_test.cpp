#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cluster/error.h"
#include "core/compile/optimizers/optimizer.h"

namespace lockstep {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Series = std::vector<double>;

// w after each of three steps from w = 1 with gradients 0.5, -0.25, 0.1.
Series three_steps(const OptimizerSpec& spec) {
  Optimizer optimizer(spec, 1, {{0, 1}});
  float w = 1;
  Series series;
  for (float g : {0.5F, -0.25F, 0.1F}) {
    optimizer.step({&w, 1}, {&g, 1});
    series.push_back(static_cast<double>(w));
  }
  EXPECT_EQ(optimizer.iterations(), 3);
  return series;
}

void expect_near(const Series& found, const Series& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 3e-7) << "step " << i + 1;
}

// Golden values: Keras 3.0 to 3.15.
TEST(Optimizers, GoldenValuesOfKeras) {
  expect_near(three_steps(Sgd{}), {.995, .9975, .9965});
  expect_near(three_steps(Sgd{.momentum = 0.9F}), {.995, .993, .9902});
  expect_near(three_steps(Sgd{.momentum = 0.9F, .nesterov = true}), {.9905, .9912, .98768});
  expect_near(three_steps(Adam{}), {.999000006, .998733671, .998418429});
  expect_near(three_steps(AdamW{}), {.998996006, .998725675, .998406438});
  expect_near(three_steps(RMSprop{}), {.996837729, .998312146, .997702153});
  expect_near(three_steps(Lion{}), {.999, 1.000, .999});
  expect_near(three_steps(RMSprop{.momentum = 0.9F, .centered = true}), {.996666674, .995151463, .993168683});
}

// Golden values: Keras 3.15.
TEST(Optimizers, GoldenValuesOfOtherKinds) {
  expect_near(three_steps(Adadelta{.learning_rate = 0.1F}), {.999858558, .999949872, .999909818});
  expect_near(three_steps(Adagrad{}), {.999154866, .999544144, .999390304});
  expect_near(three_steps(Adamax{}), {.999000013, .998789251, .998582184});
  expect_near(three_steps(Ftrl{.learning_rate = 0.1F}), {.380962104, .419887096, .404502451});
  expect_near(three_steps(Ftrl{.learning_rate = 0.1F,
                               .learning_rate_power = -0.7F,
                               .initial_accumulator_value = 0.2F,
                               .l1_regularization_strength = 0.01F,
                               .l2_regularization_strength = 0.02F,
                               .l2_shrinkage_regularization_strength = 0.03F,
                               .beta = 0.1F}),
              {.282144159, .314058453, .297973156});
  expect_near(three_steps(Nadam{}), {.99893719, .999329805, .999111235});
  expect_near(three_steps(ScheduleFreeAdamW{}), {.997500002, .998369753, .998301804});
  expect_near(three_steps(ScheduleFreeAdamW{.learning_rate = 0.1F, .warmup_steps = 2, .options = {.weight_decay = 0.1F}}),
              {.949999988, .980040193, .972373664});
  expect_near(three_steps(Lamb{}), {.999000013, .998001039, .997003019});
  expect_near(three_steps(Adafactor{.learning_rate = 0.1F}), {.899999976, .959643781, .927177548});
  expect_near(three_steps(Muon{.learning_rate = 0.1F}), {.899601281, .872608185, .840735078});
}

// w (rows, columns) after three steps; the same of a transposed matrix, transposed back.
Series three_steps_of_a_matrix(const OptimizerSpec& spec, bool transposed = false) {
  const std::vector<std::vector<float>> gradients = {
      {.5F, -.25F, .1F, .2F, .4F, -.3F}, {-.1F, .3F, .2F, .6F, -.2F, .1F}, {.05F, .15F, -.25F, -.35F, .45F, .55F}};
  const auto place = [&](std::size_t i) { return transposed ? (i % 3) * 2 + i / 3 : i; };
  const std::vector<float> start = {1, -.5F, .25F, .5F, 2, -1};
  std::vector<float> w(6), g(6);
  for (std::size_t i = 0; i < 6; ++i) w[place(i)] = start[i];
  Optimizer optimizer(spec, 6, {{0, 6, "dense/kernel", transposed ? Shape{3, 2} : Shape{2, 3}}});
  for (const std::vector<float>& gradient : gradients) {
    for (std::size_t i = 0; i < 6; ++i) g[place(i)] = gradient[i];
    optimizer.step(w, g);
  }
  Series found;
  for (std::size_t i = 0; i < 6; ++i) found.push_back(static_cast<double>(w[place(i)]));
  return found;
}

// Golden values: Keras 3.15.
TEST(Optimizers, GoldenValuesOfWholeMatrices) {
  expect_near(three_steps_of_a_matrix(Lamb{.learning_rate = 0.1F, .options = {.weight_decay = 0.01F}}),
              {.70799786, -.49336541, -.0095208408, .17985578, 1.7098588, -.92328352});
  expect_near(three_steps_of_a_matrix(Adafactor{.learning_rate = 0.1F}),
              {.87432069, -.60250872, .19840324, .39903998, 1.813924, -1.0437533});
  const Series muon = {.93437457, -.52381527, .23324141, .46017149, 1.956807, -.99017662};
  expect_near(three_steps_of_a_matrix(Muon{.learning_rate = 0.1F}), muon);
  expect_near(three_steps_of_a_matrix(Muon{.learning_rate = 0.1F}, true), muon);
  expect_near(three_steps_of_a_matrix(
                  Muon{.learning_rate = 0.1F, .ns_steps = 3, .nesterov = false, .rms_rate = {}, .options = {.weight_decay = 0}}),
              {.79943287, -.45086536, .15474986, .39243984, 1.852106, -.93482757});
}

// You et al. 2017: rate trust ||w|| / (||g|| + decay ||w||).
TEST(Optimizers, LarsFollowsItsPaper) {
  Optimizer optimizer(Lars{.learning_rate = 2, .momentum = 0.5F, .trust_coefficient = 0.1F, .options = {.weight_decay = 0.25F}}, 5,
                      {{0, 2}, {3, 1}});
  std::vector<float> w = {3, 4, 0, 0, 0}, g = {0, 5, 0, 2, 0};
  double m[2] = {0, 0}, expected[2] = {3, 4};
  for (int t = 0; t < 2; ++t) {
    const double norm = std::hypot(expected[0], expected[1]), rate = 2 * 0.1 * norm / (5 + 0.25 * norm);
    for (int i = 0; i < 2; ++i) {
      m[i] = 0.5 * m[i] + rate * ((i == 1 ? 5 : 0) + 0.25 * expected[i]);
      expected[i] -= m[i];
    }
    g = {0, 5, 0, 2, 0};
    optimizer.step(w, g);
    if (t > 0) continue;
    EXPECT_FLOAT_EQ(w[3], -4);  // weights of norm 0: the plain rate
  }
  EXPECT_NEAR(static_cast<double>(w[0]), expected[0], 1e-6);
  EXPECT_NEAR(static_cast<double>(w[1]), expected[1], 1e-6);
}

// Golden values: Keras 3.15.
TEST(Optimizers, AveragesAndAccumulates) {
  const auto steps = [](const OptimizerSpec& spec) {
    Optimizer optimizer(spec, 1, {{0, 1}});
    float w = 1;
    Series series;
    for (float g : {0.5F, -0.25F, 0.1F, 0.2F}) {
      optimizer.step({&w, 1}, {&g, 1});
      series.push_back(static_cast<double>(w));
    }
    series.push_back(static_cast<double>(optimizer.slots()[0].values.data()[0]));
    return series;
  };
  expect_near(steps(Sgd{.learning_rate = 0.1F, .options = {.use_ema = true, .ema_momentum = 0.5F, .ema_overwrite_frequency = 2}}),
              {.949999988, .962499976, .952499986, .944999993, .944999993});
  expect_near(steps(Adam{.learning_rate = 0.1F,
                         .options = {.clipnorm = 0.1F, .use_ema = true, .ema_momentum = 0.5F, .gradient_accumulation_steps = 2}}),
              {1, .900003791, .900003791, .800007045, .850005388});
}

TEST(Optimizers, AccumulatedGradientsAreThoseOfTheLargerBatch) {
  Optimizer small(Adam{.options = {.global_clipnorm = 0.4F, .gradient_accumulation_steps = 4}}, 3, {{0, 3}}),
      large(Adam{.options = {.global_clipnorm = 0.4F}}, 3, {{0, 3}});
  std::vector<float> w(3, 1), v(3, 1);
  for (int update = 0; update < 3; ++update) {
    std::vector<float> sum(3);
    for (int step = 0; step < 4; ++step) {
      std::vector<float> g = {0.5F, -0.25F * static_cast<float>(step), 0.125F * static_cast<float>(update)};
      for (std::size_t i = 0; i < 3; ++i) sum[i] += g[i];
      small.step(w, g);
    }
    for (float& value : sum) value /= 4;
    large.step(v, sum);
    EXPECT_EQ(w, v);
  }
  EXPECT_EQ(small.iterations(), 12);
}

TEST(Optimizers, ExcludesFromWeightDecay) {
  const OptimizerOptions options{.weight_decay = 0.5F, .exclude_from_weight_decay = {"^bias$", "gam"}};
  for (const OptimizerSpec& spec :
       {OptimizerSpec{Sgd{.learning_rate = 1, .options = options}}, OptimizerSpec{Lamb{.learning_rate = 1, .options = options}},
        OptimizerSpec{Muon{.learning_rate = 1, .adam_weight_decay = 0.5F, .options = options}}}) {
    Optimizer optimizer(spec, 4, {{0, 1, "bias/kernel"}, {1, 1, "dense/bias"}, {2, 1, "norm/gamma"}, {3, 1, "dense/bias_of"}});
    std::vector<float> w(4, 1), g(4, 0);
    optimizer.step(w, g);
    EXPECT_EQ(w, (std::vector<float>{0.5F, 1, 1, 0.5F})) << class_name(spec);
  }
}

TEST(Optimizers, FollowASchedule) {
  Optimizer optimizer(Sgd{.learning_rate = PolynomialDecay{.initial_learning_rate = 1, .decay_steps = 4, .end_learning_rate = 0},
                          .options = {.gradient_accumulation_steps = 2}},
                      1, {{0, 1}});
  float w = 0;
  for (const float expected : {0.F, -0.75F, -0.75F, -1.F}) {  // the rate follows steps, not updates
    float g = 1;
    optimizer.step({&w, 1}, {&g, 1});
    EXPECT_FLOAT_EQ(w, expected);
  }
  EXPECT_EQ(optimizer.learning_rate(), 0);
  optimizer.set_iterations(2);
  EXPECT_EQ(optimizer.learning_rate(), 0.5F);
  EXPECT_THROW(optimizer.set_learning_rate(1), Error);
}

TEST(Optimizers, SlotsHaveKerasShapesAndStart) {
  const std::vector<OptimizerVariable> variables = {
      {0, 24, "conv/kernel", {2, 3, 4}}, {24, 6, "dense/kernel", {2, 3}}, {30, 3, "dense/bias", {3}}};
  const Optimizer adafactor(Adafactor{}, 33, variables), muon(Muon{}, 33, variables);
  EXPECT_EQ(adafactor.slot_shape(0, 0), (Shape{2, 3}));
  EXPECT_EQ(adafactor.slot_shape(1, 0), (Shape{2, 4}));
  EXPECT_EQ(adafactor.slot_shape(0, 1), Shape{2});
  EXPECT_EQ(adafactor.slot_shape(1, 1), Shape{3});
  EXPECT_EQ(adafactor.slot_shape(1, 2), Shape{});
  EXPECT_EQ(muon.slot_shape(1, 0), (Shape{2, 3, 4}));
  EXPECT_EQ(muon.slot_shape(1, 1), std::nullopt);
  EXPECT_EQ(muon.slot_shape(0, 1), (Shape{2, 3}));
  EXPECT_EQ(Optimizer(Muon{.exclude_layers = {"dense"}}, 33, variables).slot_shape(1, 1), (Shape{2, 3}));
  Optimizer free(ScheduleFreeAdamW{}, 2, {{0, 2}});
  free.start(std::vector<float>{3, 4});
  EXPECT_EQ(free.slots()[0].values.span()[1], 4);
  EXPECT_EQ(free.slots()[1].values.span()[1], 0);
  EXPECT_EQ(Optimizer(Adagrad{}, 2, {{0, 2}}).slots()[0].values.span()[1], 0.1F);
}

// The formulas of core/compile/optimizers.h in double, one weight at a time.
class Reference {
 public:
  explicit Reference(const OptimizerSpec& spec) : spec_(spec) {}
  void step(double& w, double g) {
    ++t_;
    std::visit(
        [&](const auto& one) { w -= w * static_cast<double>(one.options.weight_decay) * static_cast<double>(one.learning_rate.number); },
        spec_);
    if (const auto* sgd = std::get_if<Sgd>(&spec_)) {
      m_ = written(sgd->momentum) * m_ - written(sgd->learning_rate.number) * g;
      w += sgd->nesterov ? written(sgd->momentum) * m_ - written(sgd->learning_rate.number) * g : m_;
    } else if (const auto* rms = std::get_if<RMSprop>(&spec_)) {
      const double rho = written(rms->rho);
      v_ = rho * v_ + (1 - rho) * g * g;
      mean_ = rho * mean_ + (1 - rho) * g;
      m_ =
          written(rms->momentum) * m_ + written(rms->learning_rate.number) * g / std::sqrt(v_ - (rms->centered ? mean_ * mean_ : 0) + 1e-7);
      w -= m_;
    } else if (const auto* lion = std::get_if<Lion>(&spec_)) {
      const double direction = 0.9 * m_ + (1 - 0.9) * g;
      w -= written(lion->learning_rate.number) * (direction > 0 ? 1 : direction < 0 ? -1 : 0);
      m_ = 0.99 * m_ + (1 - 0.99) * g;
    } else if (const auto* adam = std::get_if<Adam>(&spec_)) {
      w -= adam_step(written(adam->learning_rate.number), adam->amsgrad, g);
    } else {
      w -= adam_step(written(std::get<AdamW>(spec_).learning_rate.number), std::get<AdamW>(spec_).amsgrad, g);
    }
  }

 private:
  static double written(float value) { return std::stod(std::to_string(value)); }
  double adam_step(double learning_rate, bool amsgrad, double g) {
    m_ += (g - m_) * (1 - 0.9);
    v_ += (g * g - v_) * (1 - 0.999);
    v_hat_ = std::max(v_hat_, v_);
    return learning_rate * std::sqrt(1 - std::pow(0.999, t_)) / (1 - std::pow(0.9, t_)) * m_ / (std::sqrt(amsgrad ? v_hat_ : v_) + 1e-7);
  }
  OptimizerSpec spec_;
  int t_ = 0;
  double m_ = 0, v_ = 0, mean_ = 0, v_hat_ = 0;
};

float random_like(std::int64_t i) {
  const double x = std::sin(static_cast<double>(i) * 12.9898) * 43758.5453;
  return static_cast<float>(2 * (x - std::floor(x)) - 1);
}

const std::vector<OptimizerSpec> kSpecs = {Sgd{},
                                           Sgd{.learning_rate = 0.05F, .momentum = 0.9F},
                                           Sgd{.momentum = 0.5F, .nesterov = true},
                                           Sgd{.options = {.weight_decay = 0.1F}},
                                           Adam{},
                                           Adam{.learning_rate = 0.003F, .amsgrad = true},
                                           AdamW{},
                                           AdamW{.amsgrad = true, .options = {.weight_decay = 0.05F}},
                                           RMSprop{},
                                           RMSprop{.centered = true},
                                           RMSprop{.momentum = 0.9F},
                                           RMSprop{.rho = 0.95F, .momentum = 0.5F, .centered = true},
                                           Lion{},
                                           Lion{.options = {.weight_decay = 0.1F}}};

TEST(Optimizers, TwoHundredRandomStepsFollowADoubleImplementation) {
  for (const std::int64_t count : {1, 5, 131}) {
    for (std::size_t s = 0; s < kSpecs.size(); ++s) {
      Optimizer optimizer(kSpecs[s], count, {{0, count}});
      std::vector<Reference> reference(static_cast<std::size_t>(count), Reference(kSpecs[s]));
      std::vector<float> w(reference.size()), g(reference.size());
      for (std::size_t i = 0; i < w.size(); ++i) w[i] = random_like(static_cast<std::int64_t>(i) + 7);
      Series expected(w.begin(), w.end());
      for (std::int64_t t = 0; t < 200; ++t) {
        for (std::size_t i = 0; i < w.size(); ++i) {
          g[i] = random_like(t * count + static_cast<std::int64_t>(i)) * (i % 3 == 0 ? 1.0F : 0.01F);
          reference[i].step(expected[i], static_cast<double>(g[i]));
        }
        optimizer.step(w, g);
      }
      for (std::size_t i = 0; i < w.size(); ++i)
        EXPECT_NEAR(static_cast<double>(w[i]), expected[i], 1e-5) << "optimizer " << s << ", weight " << i;
    }
  }
}

// The step of plain SGD with rate 1 from w = 0 shows the clipped gradient: -w.
std::vector<float> clipped(const OptimizerOptions& options, std::vector<float> g, std::vector<OptimizerVariable> variables) {
  Optimizer optimizer(Sgd{.learning_rate = 1, .options = options}, static_cast<std::int64_t>(g.size()), std::move(variables));
  std::vector<float> w(g.size(), 0);
  optimizer.step(w, g);
  for (float& value : w) value = -value;
  return w;
}

void expect_floats(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(found[i])) << i;
    } else {
      EXPECT_FLOAT_EQ(found[i], expected[i]) << i;
    }
  }
}

TEST(Optimizers, Clips) {
  const std::vector<OptimizerVariable> two = {{0, 2}, {4, 2}};  // padding at 2 and 3
  expect_floats(clipped({.clipnorm = 1}, {3, 4, 0, 0, 0.3F, 0.4F}, two), {0.6F, 0.8F, 0, 0, 0.3F, 0.4F});
  expect_floats(clipped({.global_clipnorm = 1}, {2, 4, 0, 0, 4, 8}, two), {0.2F, 0.4F, 0, 0, 0.4F, 0.8F});
  expect_floats(clipped({.global_clipnorm = 10.5F}, {2, 4, 0, 0, 4, 8}, two), {2, 4, 0, 0, 4, 8});
  expect_floats(clipped({.clipvalue = 1}, {3, -4, 0, 0, 0.3F, kNan}, two), {1, -1, 0, 0, 0.3F, kNan});
  expect_floats(clipped({.clipnorm = 1}, {3e30F, 4e30F, 0, 0, 0, 0}, two), {0.6F, 0.8F, 0, 0, 0, 0});
}

TEST(Optimizers, GradientsThatAreNotFinite) {
  const std::vector<OptimizerVariable> two = {{0, 2}, {4, 2}};
  expect_floats(clipped({.clipnorm = 1}, {kInf, 4, 0, 0, 0.3F, 0.4F}, two), {kNan, 0, 0, 0, 0.3F, 0.4F});
  expect_floats(clipped({.clipnorm = 1}, {kNan, 4, 0, 0, 0.3F, 0.4F}, two), {kNan, kNan, 0, 0, 0.3F, 0.4F});
  for (const float bad : {kInf, kNan}) {
    expect_floats(clipped({.global_clipnorm = 1}, {bad, 4, 0, 0, 0.3F, 0.4F}, two), {kNan, kNan, 0, 0, kNan, kNan});
  }
}

TEST(Optimizers, PaddingStaysZero) {
  std::vector<OptimizerSpec> specs = kSpecs;
  for_each_alternative<OptimizerSpec>([&](const auto& one) { specs.emplace_back(one); });
  for (OptimizerSpec spec : specs) {
    std::visit([](auto& one) { one.options.clipnorm = 0.1F; }, spec);
    Optimizer optimizer(spec, 19, {{0, 7}, {16, 3}});
    std::vector<float> w(19, 0), g(19, 0);
    for (int t = 0; t < 5; ++t) {
      for (const std::size_t i : {0U, 3U, 6U, 16U, 18U}) g[i] = random_like(t + static_cast<std::int64_t>(i));
      optimizer.step(w, g);
    }
    for (std::size_t i = 7; i < 16; ++i) EXPECT_EQ(w[i], 0);
    EXPECT_NE(w[18], 0);
  }
}

TEST(Optimizers, CenteredVarianceMayRoundBelowZero) {
  Optimizer optimizer(RMSprop{.learning_rate = 1e-6F, .centered = true}, 1, {{0, 1}});
  float w = 0;  // nearly constant gradients: v - mean^2 is 0 but for rounding, which is far above epsilon
  for (int t = 0; t < 600; ++t) {
    float g = 288.2205F * (1 + 1e-4F * static_cast<float>(std::sin(t)));
    optimizer.step({&w, 1}, {&g, 1});
  }
  EXPECT_TRUE(std::isfinite(w));
}

TEST(Optimizers, TheSameBitsOnAnyNumberOfThreads) {
  const std::int64_t count = 7 * 65'536 + 3;
  const int before = omp_get_max_threads();
  for (const OptimizerSpec& spec :
       {OptimizerSpec{Sgd{.options = {.global_clipnorm = 1}}}, OptimizerSpec{Adam{.options = {.clipnorm = 1}}}}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      Optimizer optimizer(spec, count, {{0, 65'530}, {65'530, count - 65'530}});
      std::vector<float> w(static_cast<std::size_t>(count), 0.5F), g(w.size());
      for (std::int64_t i = 0; i < count; ++i) g[static_cast<std::size_t>(i)] = random_like(i);
      optimizer.step(w, g);
      results.push_back(std::move(w));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
    double squares = 0;  // of the whole gradient, for the size of the clipped step
    for (std::int64_t i = 0; i < count; ++i) squares += static_cast<double>(random_like(i)) * static_cast<double>(random_like(i));
    if (spec.index() == 0) {
      EXPECT_FLOAT_EQ(results[0][5], 0.5F - static_cast<float>(0.01 * static_cast<double>(random_like(5)) / std::sqrt(squares)));
    }
  }
  omp_set_num_threads(before);
}

TEST(Optimizers, SlotsAndState) {
  const auto names = [](const OptimizerSpec& spec) {
    std::vector<std::string> all;
    const Optimizer optimizer(spec, 3, {});
    for (const OptimizerSlot& slot : optimizer.slots()) {
      all.push_back(slot.name);
      EXPECT_EQ(slot.values.size(), 3);
    }
    return all;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(Sgd{}), Names{});
  EXPECT_EQ(names(Sgd{.momentum = 0.1F}), Names{"momentum"});
  EXPECT_EQ(names(Adam{}), (Names{"momentum", "velocity"}));
  EXPECT_EQ(names(AdamW{.amsgrad = true}), (Names{"momentum", "velocity", "velocity_hat"}));
  EXPECT_EQ(names(Lion{}), Names{"momentum"});
  EXPECT_EQ(names(RMSprop{}), Names{"velocity"});
  EXPECT_EQ(names(RMSprop{.momentum = 0.1F, .centered = true}), (Names{"velocity", "momentum", "average_gradient"}));
  // 1 - beta comes from the decimal, as in Keras: 0.001, where 1 - 0.999F is 0.00099998713.
  Optimizer adam(Adam{}, 1, {});
  float weight = 1, one = 1;
  adam.step({&weight, 1}, {&one, 1});
  EXPECT_EQ(adam.slots()[0].values.data()[0], 0.1F);
  EXPECT_EQ(adam.slots()[1].values.data()[0], 0.001F);
  // A step goes on from restored state: slots, iterations and rate are all of it.
  Optimizer first(Adam{}, 1, {}), second(Adam{}, 1, {});
  float w = 1, g = 0.5F;
  first.set_learning_rate(0.25F);
  first.step({&w, 1}, {&g, 1});
  second.set_iterations(first.iterations());
  second.set_learning_rate(first.learning_rate());
  for (std::size_t s = 0; s < 2; ++s) second.slots()[s].values.span()[0] = first.slots()[s].values.span()[0];
  float copy = w;
  first.step({&w, 1}, {&g, 1});
  second.step({&copy, 1}, {&g, 1});
  EXPECT_EQ(w, copy);
}

TEST(Optimizers, NamesAndDefaults) {
  EXPECT_EQ(class_name(optimizer_from_name("sgd")), "SGD");
  EXPECT_EQ(class_name(optimizer_from_name("Adam")), "Adam");
  EXPECT_EQ(class_name(optimizer_from_name("AdamW")), "AdamW");
  EXPECT_EQ(class_name(optimizer_from_name("RMSprop")), "RMSprop");
  EXPECT_EQ(learning_rate(optimizer_from_name("sgd")).number, 0.01F);
  EXPECT_EQ(learning_rate(optimizer_from_name("rmsprop")).number, 0.001F);
  EXPECT_EQ(std::get<AdamW>(optimizer_from_name("adamw")).options.weight_decay, 0.004F);
  try {
    optimizer_from_name("adagrads");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), kUsage);
    EXPECT_NE(std::string(error.what()).find("rmsprop"), std::string::npos);
  }
}

TEST(Optimizers, WrongSettingsAreErrors) {
  const std::vector<OptimizerSpec> wrong = {Sgd{.learning_rate = -0.1F},
                                            Sgd{.learning_rate = kNan},
                                            Sgd{.momentum = 1.5F},
                                            Adam{.beta_1 = 1},
                                            Adam{.beta_2 = -0.1F},
                                            Adam{.epsilon = 0},
                                            AdamW{.options = {.weight_decay = -1}},
                                            Lion{.beta_1 = 0},
                                            Sgd{.options = {.gradient_accumulation_steps = 1}},
                                            Sgd{.options = {.ema_momentum = 1.5F}},
                                            Sgd{.options = {.exclude_from_weight_decay = {"("}}},
                                            Muon{.exclude_layers = {"["}},
                                            Ftrl{.learning_rate_power = 0.5F},
                                            ScheduleFreeAdamW{.beta_1 = 0},
                                            RMSprop{.rho = 1},
                                            RMSprop{.momentum = -1},
                                            Sgd{.options = {.clipvalue = kInf}},
                                            Sgd{.options = {.clipnorm = 1, .clipvalue = 1}},
                                            Adam{.options = {.clipnorm = 1, .global_clipnorm = 1}}};
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    try {
      Optimizer optimizer(wrong[i], 1, {});
      ADD_FAILURE() << "accepted " << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), kUsage);
      EXPECT_NE(std::string(error.what()).find(class_name(wrong[i])), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(Optimizer(Sgd{}, 4, {{2, 3}}), Error);
  Optimizer optimizer(Adam{}, 4, {});
  std::vector<float> three(3), four(4);
  EXPECT_THROW(optimizer.step(three, four), Error);
  EXPECT_THROW(optimizer.step(three, three), Error);
}

}  // namespace
}  // namespace lockstep
