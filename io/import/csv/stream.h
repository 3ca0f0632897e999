#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/names.h"
#include "io/files/byte_stream.h"
#include "io/import/csv/csv.h"

namespace lockstep {

/// Rows of a table of text as features of a model, some at a time: read as the table of its training data was read. In memory is only what
/// was read last.
///
/// Without DataNames::reading columns are matched with the feature names; without these, too, they are taken in the order of the file.
class CsvStream {
 public:
  struct Rows {
    std::vector<float> features;                ///< (rows, width())
    std::vector<std::vector<std::string>> ids;  ///< of each column that is carried through
    std::int64_t rows = 0;
  };

  /// `ids`: columns to carry through as texts. Errors of columns name file, model, missing and unknown ones.
  CsvStream(const std::string& path, const DataNames& model, std::vector<std::string> ids);

  /// The next rows; nothing at the end.
  std::optional<Rows> next();
  /// Features of a row; since the first next().
  std::int64_t width() const { return width_; }
  /// For the user: what was taken by name, left out or recognised; since the first next().
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void begin();
  void fill(std::size_t bytes);
  void choose_dialect();
  void expect_decimal_comma(char separator) const;
  void take_columns(const std::vector<std::string>& header);
  std::vector<std::string> header_of(char separator, std::size_t* bytes = nullptr) const;
  bool fits(const std::vector<std::string>& header) const;
  std::string next_text();

  std::string path_;
  ByteStream bytes_;
  CsvRecipe recipe_;
  std::string source_;                    // of the recipe, for messages
  std::vector<std::string> model_names_;  // features in the order that the model takes
  std::vector<std::string> ids_, notes_;
  std::string header_, buffer_;        // the buffer begins where a record does
  std::vector<std::int64_t> columns_;  // of the table, in that order; empty: as they are
  bool begun_ = false, ended_ = false, any_ = false;
  std::int64_t lines_ = 0, width_ = 0;  // lines of the rows that were read
};

}  // namespace lockstep
