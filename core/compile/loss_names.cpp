#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cluster/error.h"
#include "core/compile/losses.h"

namespace lockstep {
namespace {

struct Names {
  LossSpec loss;
  std::string_view name, class_name, short_name;
};

// In the order of the variant, so that index() finds its row.
constexpr std::array<Names, 6> kNames = {
    {{SparseCategoricalCrossentropy{}, "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}},
     {CategoricalCrossentropy{}, "categorical_crossentropy", "CategoricalCrossentropy", {}},
     {BinaryCrossentropy{}, "binary_crossentropy", "BinaryCrossentropy", "bce"},
     {MeanSquaredError{}, "mean_squared_error", "MeanSquaredError", "mse"},
     {MeanAbsoluteError{}, "mean_absolute_error", "MeanAbsoluteError", "mae"},
     {Huber{}, "huber", "Huber", {}}}};

// "MSE" of "mse".
bool is_upper_case_of(std::string_view name, std::string_view lower) {
  const auto matches = [](char upper, char c) { return c >= 'a' && c <= 'z' && upper == static_cast<char>(c - 'a' + 'A'); };
  return !name.empty() && std::equal(name.begin(), name.end(), lower.begin(), lower.end(), matches);
}

void check_options(const LossSpec& loss) {
  const auto check_smoothing = [&loss](float smoothing) {
    if (!(smoothing >= 0 && smoothing <= 1)) {
      throw Error(fmt::format("{}: label_smoothing is {}, it must lie in [0, 1]", name_of(loss), smoothing), kUsage);
    }
  };
  if (const auto* categorical = std::get_if<CategoricalCrossentropy>(&loss)) check_smoothing(categorical->label_smoothing);
  if (const auto* binary = std::get_if<BinaryCrossentropy>(&loss)) check_smoothing(binary->label_smoothing);
  if (const auto* huber = std::get_if<Huber>(&loss); huber != nullptr && !(huber->delta > 0)) {
    throw Error(fmt::format("huber: delta is {}, it must be above 0", huber->delta), kUsage);
  }
}

}  // namespace

LossSpec loss_from_name(std::string_view name) {
  std::string known;
  for (const Names& one : kNames) {
    if (name == one.name || name == one.class_name || (!name.empty() && name == one.short_name) || is_upper_case_of(name, one.short_name)) {
      return one.loss;
    }
    known += fmt::format("{}{}{}", known.empty() ? "" : ", ", one.name, one.short_name.empty() ? "" : fmt::format(" ({})", one.short_name));
  }
  throw Error(fmt::format("unknown loss '{}'; known are {}", name, known), kUsage);
}

std::string name_of(const LossSpec& loss) { return std::string(kNames[loss.index()].name); }

bool fuses_softmax(const LossSpec& loss) {
  return std::holds_alternative<SparseCategoricalCrossentropy>(loss) || std::holds_alternative<CategoricalCrossentropy>(loss);
}

bool fuses_sigmoid(const LossSpec& loss) { return std::holds_alternative<BinaryCrossentropy>(loss); }

void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width) {
  check_options(loss);
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
