#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/import/csv/content.h"

namespace lockstep {

struct CsvOptions {
  std::vector<std::string> targets = {};             ///< columns of y, in this order
  std::vector<std::string> drop = {};                ///< columns left out
  bool classes = false;                              ///< the target is a class even if it looks like a number
  std::vector<std::string> one_hot = {};             ///< columns of words that become a column of 0 and 1 for each word
  std::vector<std::string> ordinal = {};             ///< columns of words that become the index of the word
  std::vector<std::string> na = {};                  ///< further texts of missing values
  std::string impute = {};                           ///< "mean", "median", "most-frequent"; empty: a missing value is an error
  bool header = true;                                ///< false: columns are called c1, c2, ...
  std::optional<char> separator = {}, decimal = {};  ///< nothing: recognised in each file
  std::optional<char> thousands = {};                ///< nothing: numbers have no such marks
  std::optional<TextEncoding> encoding = {};         ///< nothing: UTF-8
  std::string split = {};                            ///< as parse_split takes it; empty: all rows to train, in order
  std::uint64_t seed = 42;                           ///< of the shuffling before the split
  bool features_only = false;  ///< with a recipe: new rows, whose targets nobody knows; those that are there are left out, as is the split
  std::vector<std::string> ids = {};  ///< columns whose texts are kept beside the features; they need not be any of the recipe's
};

/// Reads CSV files with the same columns into one table. Every column that is neither target nor dropped is a feature. True and False are 1
/// and 0. A first column without a name that holds distinct whole numbers is an index and is left out. A single target whose first value is
/// not a number is a class: its distinct values, sorted, are class 0, 1, ... (numbers as numbers with `classes`); only an empty field is
/// missing there. Errors name file, line and column.
class CsvFiles {
 public:
  explicit CsvFiles(CsvOptions options);
  /// Reads as another file was read: `options` has only what may differ. `source` names that file in messages. Files may lack its target
  /// columns. Its split is taken if every part gets a row.
  CsvFiles(CsvRecipe recipe, std::string source, const CsvOptions& options);

  /// The next file: its bytes, not compressed. Columns in another order than the first file's are taken by name. `lines_before`: those of
  /// the file that are not there, between the header and the first row.
  void add(std::string bytes, const std::string& name, std::int64_t lines_before = 0);

  /// What was found so far; the texts of `notes` are for the user.
  const std::vector<CsvColumn>& columns() const { return content_.columns; }
  const CsvDialect& dialect() const { return content_.recipe.dialect; }
  std::vector<std::string> notes() const;
  std::int64_t rows() const { return content_.rows; }

  /// The table of all files. Columns of words without an encoding and missing values without a method are errors that name the options.
  /// Values that fill are computed from the rows of the split `train` alone. Call once.
  CsvImport finish();

 private:
  enum class TargetKind { unknown, numbers, classes };

  void plan(const std::vector<std::string>& header, const std::string& name);
  std::vector<std::size_t> fields_of(const std::vector<std::string>& header, const std::string& name);
  void add_target(CsvColumn& column, std::string_view field, CsvPlace place);
  float number_of(CsvColumn& column, std::string_view field, CsvPlace place);
  /// Where columns stand in the records of a file.
  struct Layout {
    std::size_t width = 0;                 // fields of a record
    std::optional<std::size_t> index;      // of a column that numbers rows
    std::vector<std::size_t> places, ids;  // of each column, and of each CsvOptions::ids
    std::int64_t lines_before = 0;
  };
  std::vector<std::string> column_names(std::size_t count, const std::string& name) const;
  std::vector<std::size_t> id_fields(const std::vector<std::string>& header, const std::string& name) const;
  void read_rows(std::string_view text, const std::string& name, const Layout& layout);

  CsvOptions options_;
  CsvContent content_;
  CsvValues values_;
  std::vector<std::string> notes_;
  TargetKind target_kind_ = TargetKind::unknown;
  std::vector<std::pair<std::string, CsvPlace>> unsure_;  // targets that may be missing or classes: those of all rows so far
};

/// One text as a table, in order.
Table read_csv(std::string_view text, const std::string& name, const CsvOptions& options);

}  // namespace lockstep
