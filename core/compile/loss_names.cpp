#include <fmt/format.h>

#include "cluster/error.h"
#include "core/compile/losses.h"

namespace lockstep {

LossSpec loss_from_name(std::string_view name) {
  if (const auto found = alternative_called<LossSpec>(name)) return *found;
  throw Error(fmt::format("unknown loss '{}'; known are {}", name, known_names<LossSpec>()), kUsage);
}

std::string name_of(const LossSpec& loss) { return std::string(kind_of(loss).name); }

bool fuses_softmax(const LossSpec& loss) {
  return std::holds_alternative<SparseCategoricalCrossentropy>(loss) || std::holds_alternative<CategoricalCrossentropy>(loss);
}

bool fuses_sigmoid(const LossSpec& loss) { return std::holds_alternative<BinaryCrossentropy>(loss); }

void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width) {
  std::visit([&](const auto& one) { fields(one, BoundsCheck(name_of(loss))); }, loss);
  if (std::holds_alternative<SparseCategoricalCrossentropy>(loss)) {
    if (truth_width == 1) return;
    throw Error(
        fmt::format("sparse_categorical_crossentropy expects one class index per row, but the truth has {} numbers per row; for one-hot "
                    "rows as wide as the output use categorical_crossentropy",
                    truth_width),
        kUsage);
  }
  if (truth_width == output_width) return;
  const bool labels = std::holds_alternative<CategoricalCrossentropy>(loss) && truth_width == 1;
  throw Error(fmt::format("{} expects truth as wide as the output, {} numbers per row, but found {}{}", name_of(loss), output_width,
                          truth_width, labels ? "; for class indices use sparse_categorical_crossentropy" : ""),
              kUsage);
}

}  // namespace lockstep
