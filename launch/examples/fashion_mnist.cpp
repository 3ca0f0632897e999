// Fashion-MNIST by a 784-300-100-10 network: 0.87 to 0.89 of the test images right after 30 epochs. The README's "In C++".
//   lockstep data fetch fashion_mnist data/fashion_mnist.h5
//   mpirun -np 4 example_fashion_mnist [FILE.h5]
#include <lockstep.h>

#include <cstdio>
#include <string>
using namespace lockstep;

void fashion_mnist(World& world, const std::string& file) {
  Hdf5Dataset train(file, "train", {.rows = {0, 55'000}});
  Hdf5Dataset valid(file, "train", {.rows = {55'000, 60'000}});
  Hdf5Dataset test(file, "test");

  Sequential model;
  model.add(Input{{28, 28}});
  model.add(Rescaling{1.0f / 255});
  model.add(Flatten{});
  model.add(Dense{300, relu});
  model.add(Dense{100, relu});
  model.add(Dense{10, softmax});
  model.compile({.loss = SparseCategoricalCrossentropy{}, .optimizer = Sgd{.learning_rate = 0.01f}, .metrics = {accuracy}});

  History history = model.fit(train, {.epochs = 30, .batch_size = 32, .validation_data = &valid}, world);
  Scores scores = model.evaluate(test, world);
  if (world.rank() != 0) return;
  std::printf("test loss %.4f, accuracy %.4f\n", scores["loss"], scores["accuracy"]);
  save_model(model, "fashion_mnist.keras");  // opens in Python Keras
}

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "data/fashion_mnist.h5";
  return lockstep::run(argc, argv, [&](World& world) { fashion_mnist(world, file); });
}
