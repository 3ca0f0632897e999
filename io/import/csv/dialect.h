#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// How a file writes its fields and numbers.
struct CsvDialect {
  char separator = ',';  ///< ' ': any run of spaces and tabs
  char decimal = '.';    ///< or ','
  char thousands = 0;    ///< between groups of three digits; 0: none
};

/// The dialect of a text, from its first records: the separator that gives every record the same number of fields, and the decimal sign
/// that most of their numbers have. What is given is kept. A text that fits none keeps the defaults.
CsvDialect recognise_dialect(std::string_view text, std::optional<char> separator, std::optional<char> decimal, char thousands = 0);

char parse_thousands(const std::string& text);  ///< ",", ".", "'", "_" or "space"
/// ",", ";", "|" (any single character), "tab" or "space"; a usage error otherwise.
char parse_separator(const std::string& text);
char parse_decimal(const std::string& text);  ///< "." or ","
std::string separator_name(char separator);   ///< the same text again

std::string_view csv_trimmed(std::string_view text);  ///< without spaces and tabs around it
/// A decimal number, finite or not, with nothing but blanks around it. One beyond double is infinite.
std::optional<double> csv_number(std::string_view text, char decimal);
/// The same, with marks between groups of three digits where the dialect has some.
std::optional<double> csv_number(std::string_view text, const CsvDialect& dialect);
/// Digits in groups of three with this mark between them, as 1,234 and 12,345,678; what follows begins with another character.
bool csv_grouped(std::string_view text, char mark);
/// A digit, and no number of a quantity: a zero before other digits or a sign. 007 and 7 are two labels.
bool csv_code(std::string_view text);
/// True, true, TRUE: 1; False, false, FALSE: 0.
std::optional<double> csv_bool(std::string_view text);
/// An empty field, NA, N/A, NaN, nan, null, NULL, None or ?.
bool csv_missing(std::string_view text);

}  // namespace lockstep
