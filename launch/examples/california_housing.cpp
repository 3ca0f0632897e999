// California housing, a regression: RMSE 0.51 to 0.56 (100,000 dollars) on the test rows after 20 epochs.
//   lockstep data fetch california_housing data/california_housing.h5
//   mpirun -np 4 example_california_housing [FILE.h5]
#include <lockstep.h>

#include <cstdio>
#include <string>
using namespace lockstep;

void california_housing(World& world, const std::string& file) {
  Hdf5Dataset train(file, "train");
  Hdf5Dataset valid(file, "valid");
  Hdf5Dataset test(file, "test");

  Normalization normalization;
  normalization.adapt(train, world);  // mean and variance of all training rows, the same on every rank

  Sequential model{Input{{8}}, normalization, Dense{50, relu}, Dense{50, relu}, Dense{50, relu}, Dense{1}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{.learning_rate = 1e-3f}, .metrics = {{RootMeanSquaredError{}, "rmse"}}});

  History history = model.fit(train, {.epochs = 20, .batch_size = 32, .validation_data = &valid}, world);
  Scores scores = model.evaluate(test, world);
  if (world.rank() != 0) return;
  std::printf("RMSE: training %.4f, test %.4f\n", history.history["rmse"].back(), scores["rmse"]);
  save_model(model, "california_housing.keras");
}

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "data/california_housing.h5";
  return lockstep::run(argc, argv, [&](World& world) { california_housing(world, file); });
}
