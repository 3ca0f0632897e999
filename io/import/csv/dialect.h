#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// How a file writes its fields and numbers.
struct CsvDialect {
  char separator = ',';  ///< ' ': any run of spaces and tabs
  char decimal = '.';    ///< or ','
};

/// The dialect of a text, from its first records: the separator that gives every record the same number of fields, and the decimal sign
/// that most of their numbers have. What is given is kept. A text that fits none keeps the defaults.
CsvDialect recognise_dialect(std::string_view text, std::optional<char> separator, std::optional<char> decimal);

/// ",", ";", "|" (any single character), "tab" or "space"; a usage error otherwise.
char parse_separator(const std::string& text);
char parse_decimal(const std::string& text);  ///< "." or ","
std::string separator_name(char separator);   ///< the same text again

std::string_view csv_trimmed(std::string_view text);  ///< without spaces and tabs around it
/// A decimal number, finite or not, with nothing but blanks around it. One beyond double is infinite.
std::optional<double> csv_number(std::string_view text, char decimal);
/// True, true, TRUE: 1; False, false, FALSE: 0.
std::optional<double> csv_bool(std::string_view text);
/// An empty field, NA, N/A, NaN, nan, null, NULL, None or ?.
bool csv_missing(std::string_view text);

}  // namespace lockstep
