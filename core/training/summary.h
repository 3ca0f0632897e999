#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// One layer's row in Keras' table.
struct SummaryRow {
  std::string name;
  std::string class_name;
  std::string shape;         ///< "(None, 300)"; empty while the layer is not built
  std::int64_t params = -1;  ///< trainable and not; -1 while the layer is not built
};

struct SummaryCount {
  std::int64_t params = 0;
  std::int64_t bytes = 0;
};

/// What model.summary() shows.
struct SummaryModel {
  std::string name;
  std::vector<SummaryRow> rows;
  SummaryCount trainable, non_trainable;
  std::optional<SummaryCount> optimizer = {};  ///< once the optimizer has its variables; iterations and learning rate count
};

/// Keras 3's table (keras/src/utils/summary_utils.py and the rules of the package rich), each line ended by '\n'. `columns`: width of the
/// terminal; the table takes four less, at most 88 and at least 16.
std::string summary_table(const SummaryModel& model, int columns);

/// "266,610" (not negative).
std::string with_separators(std::int64_t number);

}  // namespace lockstep
