#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Reads separated records (RFC 4180: quoted fields with "" for a quote, separators and line ends inside quotes; LF or CRLF) one by one.
/// With a space as separator, runs of spaces and tabs separate fields, and those around a record do not count.
class CsvReader {
 public:
  /// `text` must outlive the reader; `name` is for messages.
  CsvReader(std::string_view text, std::string name, char separator);
  /// The next record, or false at the end. Fields are valid until the next call. `line()` is the line it began on, from 1.
  bool next(std::vector<std::string_view>& fields);
  std::int64_t line() const { return line_; }
  /// Bytes of text that were read.
  std::size_t position() const { return at_; }
  /// Counts lines that are not in the text, before the next record.
  void skip_lines(std::int64_t count) { next_line_ += count; }

 private:
  std::string_view quoted_field();
  std::string_view plain_field();
  bool at_field_end() const;
  void skip_blanks();
  [[noreturn]] void fail(const std::string& what) const;
  std::string_view text_;
  std::string name_;
  char separator_;
  std::array<bool, 256> special_{};  // characters that a plain field does not just contain
  std::size_t at_ = 0;
  std::int64_t line_ = 0;             // of the current record
  std::int64_t next_line_ = 1;        // of the next character
  std::deque<std::string> unquoted_;  // fields of the current record that are not in the text as they are
};

/// Bytes of the whole records at the front of a text that goes on behind its end; 0: there is none. Blank lines at the end are left, as
/// what follows tells whether they are records.
std::size_t whole_records(std::string_view text, char separator);

}  // namespace lockstep
