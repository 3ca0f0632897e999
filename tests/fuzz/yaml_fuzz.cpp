#include "io/config/config.h"
#include "support/fuzz_target.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  return {R"(name: small
seed: 7
data:
  train: {file: data/a.h5, group: train, rows: [0, 100]}
  validation: {file: data/a.h5, group: train, rows: [100, 120]}
  memory: 1GiB
model:
  - Input: {shape: [28, 28]}
  - Rescaling: {scale: 1/255}
  - Flatten
  - Normalization: {adapt: true}
  - Dense: {units: 32, activation: relu, kernel_regularizer: {l2: 0.01}}
  - Dropout: {rate: 0.2, seed: 3}
  - Dense: {units: 10}
  - Activation: softmax
training:
  loss: sparse_categorical_crossentropy
  optimizer: {Adam: {learning_rate: 0.001}}
  metrics: [accuracy]
  epochs: 3
  batch_size: 64
  class_weight: {0: 1.5, 3: 2}
cluster: {threads: 2, allreduce: ring, timeout: 30}
coordinator: {enabled: false}
checkpoint: {every_epochs: 2, keep: 3, monitor: val_loss}
)",
          "data: &d\n  train: {file: a, <<: *d}\nmodel: [Dense: {units: 1}]\ntraining: {loss: mse, optimizer: SGD}\n"};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return testing::fuzz([&] {
    parse_config(std::string(testing::as_text(data, size)), "fuzz.yaml", {"training.epochs=2", "model.0.Dense.units=4"});
  });
}
