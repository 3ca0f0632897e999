// A CPU without bfloat16: this program's has_bfloat16() stands before the library's.
#include <gtest/gtest.h>

#include "core/math/bfloat16.h"
#include "core/training/sequential.h"
#include "support/random_data.h"
#include "support/throws.h"

namespace lockstep {

bool has_bfloat16() { return false; }

namespace {

Sequential model(DtypePolicy policy) {
  Sequential model{Input{{7}}, Dense{20, relu}, Dense{4, softmax}};
  model.set_dtype_policy(policy);
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{}});
  return model;
}

const FitOptions kOptions{.epochs = 2, .batch_size = 64, .verbose = 0};

TEST(NoBfloat16, TrainingInItIsAnErrorThatSaysWhatToDo) {
  Sequential mixed = model(DtypePolicy::mixed_bfloat16);
  const std::vector<std::vector<float>> before = mixed.get_weights();
  testing::expect_error([&] { mixed.fit(test::labelled_rows(100, 7, 4), kOptions); },
                        {"mixed_bfloat16", "no AVX512_BF16", "mixed_precision: float32, or auto"});
  EXPECT_EQ(mixed.get_weights(), before);
}

TEST(NoBfloat16, AutoIsFloat32) {
  Sequential automatic = model(DtypePolicy::automatic), exact = model(DtypePolicy::float32);
  automatic.fit(test::labelled_rows(100, 7, 4), kOptions);
  exact.fit(test::labelled_rows(100, 7, 4), kOptions);
  EXPECT_EQ(automatic.dtype_policy(), DtypePolicy::float32);
  EXPECT_EQ(automatic.get_weights(), exact.get_weights());
}

// A model that was trained elsewhere is of use here: its weights are float32.
TEST(NoBfloat16, EvaluateAndPredictComputeInFloat32) {
  const ArrayDataset data = test::labelled_rows(100, 7, 4);
  Sequential mixed = model(DtypePolicy::mixed_bfloat16), exact = model(DtypePolicy::float32);
  EXPECT_EQ(mixed.predict(data), exact.predict(data));
  EXPECT_EQ(mixed.evaluate(data).values, exact.evaluate(data).values);
}

}  // namespace
}  // namespace lockstep
