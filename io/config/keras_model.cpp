#include "io/config/keras_model.h"

namespace lockstep {

Sequential remade(const Sequential& model, const RunConfig& config) {
  Sequential result(model.layers(), model.name());
  result.set_seed(config.seed);
  result.set_dtype_policy(config.mixed_precision == DtypePolicy::float32 ? model.dtype_policy() : config.mixed_precision);
  result.set_arithmetic(config.arithmetic);
  result.build(model.input_shape());
  return result;
}

}  // namespace lockstep
