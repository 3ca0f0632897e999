#include "io/checkpoint/state.h"
#include "support/fuzz_target.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  CheckpointState state{
      .epoch = 2, .step_in_epoch = 3, .global_step = 23, .epochs = 5, .steps_per_epoch = 10, .batch_size = 32, .shards = 4, .seed = 1};
  state.learning_rate = 0.25F;
  state.metric_names = {"loss", "accuracy"};
  state.history.epoch = {1, 2};
  state.history.epochs = 5;
  state.history.digests = {3, 4};
  state.history.history = {{"loss", {0.5, 0.25}}};
  state.sums = {.scores = {.grains = {1, 2}, .counts = {3}}, .penalty = 0, .rows = 3};
  state.callbacks = {{"early", "1"}};
  state.facts = {{"ISA", "AVX2"}};
  return {checkpoint_state_json(state)};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return testing::fuzz([&] { checkpoint_state_from_json("state.json", testing::as_text(data, size)); });
}
