#include "core/data/shape.h"

namespace lockstep {

std::int64_t elements(const Shape& shape) {
  std::int64_t product = 1;
  for (const std::int64_t axis : shape) product *= axis;
  return product;
}

std::string to_string(const Shape& shape, bool batch_axis) {
  std::string text = batch_axis ? "(None" : "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 || batch_axis ? ", " : "") + std::to_string(shape[i]);
  const std::size_t axes = shape.size() + (batch_axis ? 1 : 0);
  return text + (axes == 1 ? ",)" : ")");
}

}  // namespace lockstep
