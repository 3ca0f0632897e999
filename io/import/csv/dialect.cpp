#include "io/import/csv/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "cluster/error.h"
#include "io/import/csv/records.h"

namespace lockstep {
namespace {

constexpr std::size_t kSampleBytes = 1 << 20, kSampleRecords = 200;
constexpr std::array<char, 5> kSeparators{',', ';', '\t', '|', ' '};  // the first of those that fit equally well

using Fields = std::vector<std::vector<std::string>>;

/// The first records of a text read with this separator; nothing if it cannot be read so.
Fields sample(std::string_view text, char separator) {
  CsvReader reader(text, "", separator);
  Fields records;
  std::vector<std::string_view> fields;
  try {
    while (records.size() < kSampleRecords && reader.position() < kSampleBytes && reader.next(fields)) {
      records.emplace_back(fields.begin(), fields.end());
    }
  } catch (const Error&) {
    return {};
  }
  return records;
}

struct Fit {
  bool even = false;  // every record has the same number of fields, and more than one
  double clean = 0;   // share of fields that no other separator would divide
  std::size_t fields = 0;
};

Fit fit_of(const Fields& records, char separator) {
  if (records.empty()) return {};
  Fit fit{.even = true, .fields = records.front().size()};
  std::size_t count = 0, clean = 0;
  for (const auto& record : records) {
    fit.even = fit.even && record.size() == fit.fields;
    for (const std::string& field : record) {
      ++count;
      const bool divided = std::any_of(kSeparators.begin() + 1, kSeparators.end() - 1,
                                       [&](char other) { return other != separator && field.find(other) != std::string::npos; });
      if (!divided) ++clean;
    }
  }
  fit.clean = static_cast<double>(clean) / static_cast<double>(std::max<std::size_t>(count, 1));
  fit.even = fit.even && fit.fields > 1;
  return fit;
}

/// Spaces are inside of words: they separate only where nothing else does.
bool better(const Fit& one, const Fit& other, char separator) {
  if (one.even != other.even) return one.even;
  if (separator == ' ' && other.fields > 1) return false;
  if (one.even && one.clean != other.clean) return one.clean > other.clean;
  return one.fields > other.fields;
}

char decimal_of(const Fields& records) {
  std::size_t points = 0, commas = 0;
  for (const auto& record : records) {
    for (const std::string& field : record) {
      if (field.find('.') != std::string::npos && csv_number(field, '.')) ++points;
      if (field.find(',') != std::string::npos && csv_number(field, ',')) ++commas;
    }
  }
  return commas > points ? ',' : '.';
}

}  // namespace

CsvDialect recognise_dialect(std::string_view text, std::optional<char> separator, std::optional<char> decimal, char thousands) {
  CsvDialect found{.thousands = thousands};
  if (separator && decimal && *separator != *decimal && *decimal != thousands) return {*separator, *decimal, thousands};
  Fields records;
  Fit best;
  for (const char candidate : separator ? std::vector<char>{*separator} : std::vector<char>(kSeparators.begin(), kSeparators.end())) {
    Fields read = sample(text, candidate);
    const Fit fit = fit_of(read, candidate);
    if (!separator && !better(fit, best, candidate)) continue;
    if (candidate == ' ' && !separator && !fit.even) continue;
    best = fit;
    found.separator = candidate;
    records = std::move(read);
  }
  if (decimal) {
    found.decimal = *decimal;
  } else if (thousands == '.') {
    found.decimal = ',';
  } else if (found.separator != ',' && thousands != ',') {
    found.decimal = decimal_of(records);
  }
  if (found.decimal == thousands) throw Error("one character cannot both separate thousands and begin decimals", kUsage);
  if (found.decimal == ',' && found.separator == ',') throw Error("a comma cannot both separate fields and begin decimals", kUsage);
  return found;
}

char parse_separator(const std::string& text) {
  if (text == "tab" || text == "\\t" || text == "\t") return '\t';
  if (text == "space" || text == " ") return ' ';
  const bool odd = text.size() != 1 || text == "\"" || text == "\n" || text == "\r" || text == "." || text[0] < ' ';
  if (odd) throw Error(fmt::format("separator '{}': expected one character, tab or space", text), kUsage);
  return text[0];
}

char parse_decimal(const std::string& text) {
  if (text != "." && text != ",") throw Error(fmt::format("decimal sign '{}': expected . or ,", text), kUsage);
  return text[0];
}

char parse_thousands(const std::string& text) {
  if (text == "space") return ' ';
  if (text.size() == 1 && std::string_view(",.'_ ").find(text[0]) != std::string_view::npos) return text[0];
  throw Error(fmt::format("thousands mark '{}': expected , . ' _ or space", text), kUsage);
}

std::string separator_name(char separator) { return separator == '\t' ? "tab" : separator == ' ' ? "space" : std::string(1, separator); }

std::string_view csv_trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

namespace {

/// Up to 15 digits with a decimal point among or behind them. Both numbers of the quotient are exact, so it is the nearest double.
std::optional<double> short_number(std::string_view text) {
  static constexpr std::array<double, 16> kPowers{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = text.starts_with('-');
  std::uint64_t digits = 0;
  std::size_t count = 0, decimals = 0;
  bool point = false;
  if (negative) text.remove_prefix(1);
  if (text.size() > kPowers.size()) return {};
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return {};
    digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
    ++count;
    decimals += point ? 1 : 0;
  }
  if (count == 0 || count == kPowers.size()) return {};
  const double value = static_cast<double>(digits) / kPowers[decimals];
  return negative ? -value : value;
}

}  // namespace

std::optional<double> csv_number(std::string_view text, char decimal) {
  text = csv_trimmed(text);
  if (decimal == '.') {
    if (const auto value = short_number(text)) return value;
  }
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::array<char, 64> pointed{};
  if (decimal != '.' && text.find_first_of(".,") != std::string_view::npos) {
    if (text.size() > pointed.size() || text.find('.') != std::string_view::npos) return std::nullopt;
    std::replace_copy(text.begin(), text.end(), pointed.begin(), decimal, '.');
    text = {pointed.data(), text.size()};
  }
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range) {
    // from_chars says the same of a number too large and of one too small
    const std::size_t exponent = text.find_first_of("eE");
    const bool small = exponent != std::string_view::npos ? text.substr(exponent + 1).starts_with('-') : text.find('.') <= 2;
    return small ? 0.0 : std::numeric_limits<double>::infinity();
  }
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

bool csv_grouped(std::string_view text, char mark) {
  const auto digits = [&text] {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    text.remove_prefix(count);
    return count;
  };
  text = csv_trimmed(text);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('0')) return false;
  const std::size_t first = digits();
  if (first < 1 || first > 3 || !text.starts_with(mark)) return false;
  while (text.starts_with(mark)) {
    text.remove_prefix(1);
    if (digits() != 3) return false;
  }
  return true;
}

std::optional<double> csv_number(std::string_view text, const CsvDialect& dialect) {
  if (dialect.thousands == 0 || text.find(dialect.thousands) == std::string_view::npos) return csv_number(text, dialect.decimal);
  text = csv_trimmed(text);
  if (!csv_grouped(text, dialect.thousands)) return csv_number(text, dialect.decimal);
  std::string joined(text);
  std::erase(joined, dialect.thousands);
  return csv_number(joined, dialect.decimal);
}

bool csv_code(std::string_view text) {
  text = csv_trimmed(text);
  if (text.starts_with('+')) return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

std::optional<double> csv_bool(std::string_view text) {
  text = csv_trimmed(text);
  if (text == "True" || text == "true" || text == "TRUE") return 1;
  if (text == "False" || text == "false" || text == "FALSE") return 0;
  return std::nullopt;
}

bool csv_missing(std::string_view text) {
  static constexpr std::string_view kMissing[] = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"};
  return std::find(std::begin(kMissing), std::end(kMissing), csv_trimmed(text)) != std::end(kMissing);
}

}  // namespace lockstep
