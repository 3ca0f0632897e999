#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/data/dataset.h"
#include "launch/model/saved_model.h"

namespace lockstep {

/// What `predict` is asked to answer.
struct RowRequest {
  std::string data, group;
  std::optional<RowRange> rows;  ///< of the data; last = -1: to the end
  std::vector<std::string> ids;  ///< columns, data sets or arrays to carry through
};

/// Rows to answer, some at a time: those of a data file, of a table of text, or of NumPy's arrays. Data files are read by all ranks, the
/// others by rank 0, which hands the rows to the others.
class NewRows {
 public:
  virtual ~NewRows() = default;

  /// The next rows, valid until the next call; null at the end. Collective.
  virtual const Dataset* next() = 0;

  /// Number of the first of these rows in the data.
  std::int64_t first_row() const { return first_row_; }
  /// Of rank 0: for each RowRequest::ids the texts of these rows.
  const std::vector<std::vector<std::string>>& ids() const { return ids_; }
  /// Class names where the model has none; sentences for the user, of rank 0, since the first next().
  const std::vector<std::string>& class_names() const { return class_names_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 protected:
  std::int64_t first_row_ = 0;
  std::vector<std::vector<std::string>> ids_;
  std::vector<std::string> class_names_, notes_, warnings_;
};

/// Opens what the request names; the ending of its name is the format. Collective.
std::unique_ptr<NewRows> open_rows(const SavedModel& saved, const RowRequest& request, const World& world);

}  // namespace lockstep
