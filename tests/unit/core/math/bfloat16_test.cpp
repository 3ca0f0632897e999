// Products in bfloat16 against whole numbers that bfloat16 holds, where every sum is exact, and training in mixed_bfloat16 against float32.
#include "core/math/bfloat16.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cluster/json.h"
#include "core/training/sequential.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"
#include "support/random_data.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::labelled_rows;
using test::target_rows;
using testing::expect_error;
using testing::TempDir;

class Bfloat16 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_bfloat16()) GTEST_SKIP() << "this CPU has no AVX512_BF16";
  }
};

/// -8 .. 8, no pattern that survives a transposition or a shift.
std::vector<float> whole_numbers(std::int64_t count, std::int64_t seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((i * i * 7 + i * 13 + seed * 29 + i / 11) % 17 - 8));
  return values;
}

float at(const std::vector<float>& matrix, std::int64_t width, std::int64_t row, std::int64_t column) {
  return matrix[static_cast<std::size_t>(row * width + column)];
}

TEST_F(Bfloat16, ProductIsExactOnWholeNumbers) {
  for (const std::int64_t rows : {1, 7, 8, 9, 33}) {
    for (const std::int64_t length : {1, 2, 3, 31, 32, 33, 70}) {
      for (const std::int64_t columns : {1, 15, 16, 17, 48, 49, 100}) {
        const std::vector<float> x = whole_numbers(rows * length, 1), w = whole_numbers(length * columns, 2),
                                 bias = whole_numbers(columns, 3);
        BfloatRows left(rows, length);
        BfloatPairs right(length, columns);
        left.take(x.data(), rows);
        right.take(w.data(), 0, length);
        std::vector<float> y(static_cast<std::size_t>(rows * columns), 99.F), without(y);
        bfloat16_product(left, rows, right, bias.data(), y.data());
        bfloat16_product(left, rows, right, nullptr, without.data());
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t c = 0; c < columns; ++c) {
            float sum = 0;
            for (std::int64_t l = 0; l < length; ++l) sum += at(x, length, r, l) * at(w, columns, l, c);
            ASSERT_EQ(at(without, columns, r, c), sum) << rows << " x " << length << " x " << columns << " at " << r << ", " << c;
            ASSERT_EQ(at(y, columns, r, c), sum + bias[static_cast<std::size_t>(c)]);
          }
        }
      }
    }
  }
}

TEST_F(Bfloat16, TransposedOperandIsTheMatrixOfItsColumns) {
  for (const std::int64_t length : {1, 2, 31, 32, 35, 100}) {
    for (const std::int64_t columns : {1, 15, 16, 17, 50}) {
      const std::vector<float> matrix = whole_numbers(columns * length, 4);
      BfloatPairs pairs(length, columns);
      for (std::int64_t first = 0; first < columns; first += 32) pairs.take_transposed(matrix.data(), first, std::min(first + 32, columns));
      for (std::int64_t l = 0; l < length; ++l) {  // a row of the unit matrix picks a row of the operand
        std::vector<float> unit(static_cast<std::size_t>(length)), y(static_cast<std::size_t>(columns));
        unit[static_cast<std::size_t>(l)] = 1;
        BfloatRows left(1, length);
        left.take(unit.data(), 1);
        bfloat16_product(left, 1, pairs, nullptr, y.data());
        for (std::int64_t c = 0; c < columns; ++c) ASSERT_EQ(y[static_cast<std::size_t>(c)], at(matrix, length, c, l));
      }
    }
  }
}

TEST_F(Bfloat16, GradientOfAnyRowsIsExactOnWholeNumbers) {
  for (const std::int64_t length : {1, 2, 9, 64}) {
    for (const std::int64_t in : {3, 8, 50}) {
      for (const std::int64_t out : {1, 10, 53}) {
        const std::vector<float> x = whole_numbers(length * in, 5), d = whole_numbers(length * out, 6), before = whole_numbers(in * out, 7);
        BfloatPairs left(length, in), right(length, out);
        left.take(x.data(), 0, length);
        right.take(d.data(), 0, length);
        for (const std::int64_t first : {0, 8, 40}) {
          if (first >= in) continue;
          const std::int64_t last = std::min(first + 24, in);
          std::vector<float> written(before), added(before);
          bfloat16_gradient(left, right, first, last, 1, false, written.data() + first * out);
          bfloat16_gradient(left, right, first, last, -0.5F, true, added.data() + first * out);
          for (std::int64_t i = 0; i < in; ++i) {
            for (std::int64_t o = 0; o < out; ++o) {
              float sum = 0;
              for (std::int64_t l = 0; l < length; ++l) sum += at(x, in, l, i) * at(d, out, l, o);
              const bool inside = i >= first && i < last;
              ASSERT_EQ(at(written, out, i, o), inside ? sum : at(before, out, i, o));
              ASSERT_EQ(at(added, out, i, o), at(before, out, i, o) - (inside ? 0.5F * sum : 0));
            }
          }
        }
      }
    }
  }
}

// 8 bits of significand: halfway cases go to the even neighbour.
TEST_F(Bfloat16, RoundsToNearestEven) {
  const std::vector<std::pair<float, float>> cases{
      {1 + 1.F / 256, 1.F}, {1 + 3.F / 256, 1 + 4.F / 256}, {1 + 1.1F / 256, 1 + 2.F / 256}, {-257.F, -256.F}, {259.F, 260.F}};
  const float one = 1;
  BfloatPairs unit(1, 1);
  unit.take(&one, 0, 1);
  for (const auto& [value, expected] : cases) {
    BfloatRows row(1, 1);
    row.take(&value, 1);
    float y = 0;
    bfloat16_product(row, 1, unit, nullptr, &y);
    EXPECT_EQ(y, expected) << value;
  }
}

Sequential classifier(DtypePolicy policy, const OptimizerSpec& optimizer = Sgd{.learning_rate = 0.05F}) {
  Sequential model{Input{{37}}, Dense{70, relu}, Dropout{0.1F}, Dense{33, gelu}, Dense{5, softmax}};
  model.set_seed(5);
  model.set_dtype_policy(policy);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = optimizer, .metrics = {accuracy}});
  return model;
}

// Each of x and W is rounded with a relative error of at most 2^-9, so a sum is off by at most (2^-8 + 2^-18) of the sum of magnitudes.
TEST_F(Bfloat16, PredictionIsWithinTheRoundingOfItsOperands) {
  const ArrayDataset data = target_rows(70, 61, 9);
  const auto predict = [&](DtypePolicy policy) {
    Sequential model{Input{{61}}, Dense{9}};
    model.set_dtype_policy(policy);
    return model.predict(data);
  };
  Sequential magnitudes{Input{{61}}, Dense{9}};
  magnitudes.build({61});
  const std::vector<std::vector<float>> weights = magnitudes.get_weights();
  const std::vector<float> exact = predict(DtypePolicy::float32), rounded = predict(DtypePolicy::mixed_bfloat16);
  EXPECT_NE(exact, rounded);
  std::vector<float> x(61), truth(9), weight(1);
  const auto reader = data.open({{0, 70}});
  for (std::int64_t r = 0; r < 70; ++r) {
    const std::vector<std::int64_t> row{r};
    reader->begin(row);
    reader->read(1, {x.data(), truth.data(), weight.data(), 1, 0});
    for (std::size_t o = 0; o < 9; ++o) {
      float sum = 0;
      for (std::size_t i = 0; i < 61; ++i) sum += std::abs(x[i] * weights[0][i * 9 + o]);
      const std::size_t y = static_cast<std::size_t>(r) * 9 + o;
      ASSERT_LE(std::abs(exact[y] - rounded[y]), (1.F / 256 + 1.F / 65'536) * sum) << r << ", " << o;
    }
  }
}

TEST_F(Bfloat16, TrainingFollowsFloat32) {
  const ArrayDataset data = labelled_rows(640, 37, 5);
  for (const OptimizerSpec& optimizer : std::vector<OptimizerSpec>{Sgd{.learning_rate = 0.05F}, Adam{.learning_rate = 0.003F}}) {
    Sequential mixed = classifier(DtypePolicy::mixed_bfloat16, optimizer), exact = classifier(DtypePolicy::float32, optimizer);
    const FitOptions options{.epochs = 4, .batch_size = 48, .threads = 1, .verbose = 0};
    History one = mixed.fit(data, options), other = exact.fit(data, options);
    EXPECT_NE(mixed.get_weights(), exact.get_weights());
    EXPECT_LT(other.history["loss"].back(), other.history["loss"].front());
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
      EXPECT_NEAR(one.history["loss"][epoch], other.history["loss"][epoch], 0.02 * other.history["loss"][epoch]);
    }
    double change = 0, difference = 0;
    const std::vector<std::vector<float>> start = classifier(DtypePolicy::float32).get_weights(), a = mixed.get_weights(),
                                          b = exact.get_weights();
    for (std::size_t w = 0; w < a.size(); ++w) {
      for (std::size_t i = 0; i < a[w].size(); ++i) {
        change += std::pow(b[w][i] - start[w][i], 2);
        difference += std::pow(a[w][i] - b[w][i], 2);
      }
    }
    EXPECT_LT(difference, 0.05 * 0.05 * change);
  }
}

TEST_F(Bfloat16, AutoTakesItForLargeBatchesOnly) {
  const ArrayDataset data = labelled_rows(64, 37, 5);
  Sequential large = classifier(DtypePolicy::automatic), small = classifier(DtypePolicy::automatic);
  large.fit(data, {.batch_size = 64, .verbose = 0});
  small.fit(data, {.batch_size = 1, .verbose = 0});
  EXPECT_EQ(large.dtype_policy(), DtypePolicy::mixed_bfloat16);
  EXPECT_EQ(small.dtype_policy(), DtypePolicy::float32);
}

TEST_F(Bfloat16, AKerasFileSaysThePolicyAndHoldsFloat32Weights) {
  const TempDir dir;
  const ArrayDataset data = labelled_rows(64, 37, 5);
  Sequential model = classifier(DtypePolicy::mixed_bfloat16);
  model.fit(data, {.batch_size = 16, .verbose = 0});
  save_model(model, dir / "m.keras");
  Sequential loaded = load_model(dir / "m.keras");
  EXPECT_EQ(loaded.dtype_policy(), DtypePolicy::mixed_bfloat16);
  EXPECT_EQ(loaded.get_weights(), model.get_weights());
  EXPECT_EQ(loaded.predict(data), model.predict(data));
  const Json config = Json::parse(model_config(model));
  for (const auto& layer : config["config"]["layers"]) {
    EXPECT_EQ(layer["config"]["dtype"], layer["class_name"] == "Dense" ? "mixed_bfloat16" : "float32");
  }
}

TEST(DtypePolicy, IsReadAsKerasWritesIt) {
  const auto model = [](const std::string& first, const std::string& second) {
    const auto dense = [](const std::string& name, const std::string& dtype) {
      return R"({"module": "keras.layers", "class_name": "Dense", "config": {"name": ")" + name + R"(", "units": 2, "dtype": )" + dtype +
             "}}";
    };
    return R"({"class_name": "Sequential", "config": {"name": "m", "layers": [)" + dense("a", first) + "," + dense("b", second) +
           R"(], "build_input_shape": [null, 4]}})";
  };
  const std::string object =
      R"({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_bfloat16"}, "registered_name": null})";
  const std::string text = R"("mixed_bfloat16")", plain = R"("float32")";
  EXPECT_EQ(model_from_config("m", model(object, text)).dtype_policy(), DtypePolicy::mixed_bfloat16);
  EXPECT_EQ(model_from_config("m", model(plain, plain)).dtype_policy(), DtypePolicy::float32);
  EXPECT_EQ(model_from_config("m", model(text, plain)).dtype_policy(), DtypePolicy::float32);  // and a note says so
  expect_error([&] { model_from_config("m", model(R"("float16")", plain)); }, {"layer 'a' (Dense)", "float32 or mixed_bfloat16"});
}

}  // namespace
}  // namespace lockstep
