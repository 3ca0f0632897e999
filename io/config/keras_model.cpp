#include "io/config/keras_model.h"

#include "io/keras/keras_file.h"

namespace lockstep {

Sequential remade(const Sequential& model, const RunConfig& config) {
  Sequential result(model.layers(), model.name());
  result.set_seed(config.seed);
  result.set_dtype_policy(config.mixed_precision.value_or(model.dtype_policy()));
  result.set_arithmetic(config.arithmetic);
  result.set_names(model.names());
  result.build(model.input_shape());
  return result;
}

StoredModel open_keras_model(const RunConfig& config) {
  StoredModel stored = open_model(config.model.keras);
  Sequential model = remade(stored.model, config);
  model.set_weights(stored.model.get_weights());
  stored.model = std::move(model);
  return stored;
}

}  // namespace lockstep
