#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/run/table.h"

namespace lockstep {

/// Reads comma-separated records (RFC 4180: quoted fields with "" for a quote, commas and line ends inside quotes; LF or CRLF) one by one.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string name);
  /// The next record, or false at the end. `line()` is the line it began on, from 1.
  bool next(std::vector<std::string>& fields);
  std::int64_t line() const { return line_; }

 private:
  std::string quoted_field();
  std::string plain_field();
  [[noreturn]] void fail(const std::string& what) const;
  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;       // of the current record
  std::int64_t next_line_ = 1;  // of the next character
};

struct CsvOptions {
  std::vector<std::string> targets;  ///< columns of y, in this order
  std::vector<std::string> drop;     ///< columns left out
  bool classes = false;              ///< the target is a class even if it looks like a number
};

/// A CSV file with a header line as a table: every column that is neither target nor dropped is a feature and holds numbers in every row. A
/// single target whose first value is not a number is a class: its distinct values, sorted, are class 0, 1, ... (numbers as numbers with
/// `classes`). An empty field, NA, NaN, null, a word where a number belongs, a number beyond float32, a wrong count of fields: errors with
/// line and column.
Table read_csv(std::string_view text, const std::string& name, const CsvOptions& options);

}  // namespace lockstep
