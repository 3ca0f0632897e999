#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "cluster/error.h"
#include "core/data/dataset.h"

namespace lockstep {

/// Truth that the loss cannot take (truth_flaw), in a row of the block that it was given.
class TruthError : public Error {
 public:
  TruthError(std::int64_t row, const std::string& what)
      : Error("row " + std::to_string(row) + " of the batch: " + what), row_(row), what_(what) {}
  std::int64_t row() const { return row_; }
  const std::string& reason() const { return what_; }

 private:
  std::int64_t row_;
  std::string what_;
};

/// Runs `score` on a block whose rows are these of the data set; its TruthError becomes an Error that names the data set and its row.
template <class Score>
void naming_rows(const Dataset& data, std::span<const std::int64_t> rows, const Score& score) {
  try {
    score();
  } catch (const TruthError& error) {
    throw Error(data.where(rows[static_cast<std::size_t>(error.row())], RowPart::truth) + ": " + error.reason());
  }
}

}  // namespace lockstep
