#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// What Keras' summary table shows.
struct SummaryRow {
  std::string name, class_name;
  std::string shape;            ///< "(None, 784)"; "?" when unbuilt
  std::int64_t parameters = 0;  ///< -1: unbuilt
};
struct SummaryModel {
  std::string name;
  std::vector<SummaryRow> rows;
  std::int64_t trainable = 0, non_trainable = 0;
  std::int64_t optimizer = 0;        ///< values of the optimizer's state; 0: not built, no line
  std::int64_t optimizer_bytes = 0;  ///< its size
};

/// Keras 3's model.summary() on a terminal of so many columns (keras/src/utils/summary_utils.py), without colours.
std::string summary_table(const SummaryModel& model, int columns);

}  // namespace lockstep
