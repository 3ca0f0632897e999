#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/import/csv/columns.h"
#include "io/import/csv/recipe.h"
#include "io/run/table.h"

namespace lockstep {

/// The rows of CSV files before words and missing values are settled.
struct CsvContent {
  CsvRecipe recipe;                                ///< as far as it is known
  std::string source;                              ///< the file whose recipe it is; empty: none was given
  std::vector<std::string> files;                  ///< names for messages: the recipe's file first, if there is one
  std::vector<CsvColumn> columns;                  ///< of the first file, or of the recipe
  std::vector<std::size_t> features, targets;      ///< indices of columns
  bool classes = false;                            ///< the target is a class
  bool has_targets = true;                         ///< false: files read by a recipe lack its target columns
  bool decimal_given = false, split_given = true;  ///< false: recognised, and taken from the recipe
  std::vector<float> x, y;  ///< (rows, features), (rows, targets); NaN: missing; of words their number in order of appearance, or -1
  std::vector<std::int64_t> labels;           ///< number of the class of each row, or -1
  std::vector<std::vector<std::string>> ids;  ///< of each CsvOptions::ids: the texts of all rows
  std::int64_t rows = 0;

  /// "f.csv, line 3, column 'a'"
  std::string where(const CsvColumn& column, CsvPlace place) const;
};

/// CSV files as one table.
struct CsvImport {
  Table table;
  std::vector<Split> splits;
  std::optional<std::uint64_t> seed;               ///< rows are shuffled before they are dealt out
  CsvRecipe recipe;                                ///< with all that was found
  std::vector<std::string> notes;                  ///< for the user
  std::vector<std::vector<std::string>> ids = {};  ///< as in CsvContent
};

/// Turns words into numbers and fills what is missing, by the recipe or as a new recipe. Columns of words without an encoding, missing
/// values without a method and words that a given recipe does not have are errors that name columns and options.
CsvImport settle(CsvContent content);

}  // namespace lockstep
