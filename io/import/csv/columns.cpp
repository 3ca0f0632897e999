#include "io/import/csv/columns.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "io/import/csv/dialect.h"

namespace lockstep {
namespace {

constexpr double kLarge = 1 << 20;           // from here on neighbours in float32 are 1/8 and more apart
constexpr std::size_t kMostLarge = 1 << 11;  // of a column that are compared

void note_missing(CsvColumn& column, std::string_view field, CsvPlace place) {
  if (column.missing++ > 0) return;
  column.missing_place = place;
  column.first_missing = field;
}

void note_example(CsvColumn& column, std::string_view field) {
  if (column.values() == 0) column.example = field;
}

void note_number(CsvColumn& column, double value) {
  const bool first = column.numbers + column.bools == 0;
  column.least = first ? value : std::min(column.least, value);
  column.greatest = first ? value : std::max(column.greatest, value);
  column.whole = column.whole && value == std::floor(value);
  if (std::abs(value) < kLarge) return;
  if (column.large.size() < kMostLarge) column.large.push_back(value);
}

/// Whether a comma can only begin decimals: 1,5 and 0,123 and 1234,567 can, 1,234 may be a thousand.
void note_comma(CsvColumn& column, std::string_view text, CsvPlace place) {
  if (text.find(',') == std::string_view::npos) return;
  if (!csv_grouped(text, ',') || text.find_first_of("eE") != std::string_view::npos) {
    ++column.decimal_commas;
  } else if (column.first_unsure.empty()) {
    column.first_unsure = text;
    column.unsure_place = place;
  }
}

}  // namespace

std::int64_t WordIndex::number(std::string_view word) {
  if (const auto found = numbers_.find(word); found != numbers_.end()) return found->second;
  const auto next = static_cast<std::int64_t>(words_.size());
  numbers_.emplace(word, next);
  words_.emplace_back(word);
  return next;
}

std::optional<std::int64_t> WordIndex::find(std::string_view word) const {
  const auto found = numbers_.find(word);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> word_number(std::string_view word, const CsvDialect& dialect) {
  constexpr double kExact = 0x1p53;
  const auto value = csv_number(word, dialect);
  return value && std::abs(*value) < kExact && !csv_code(word) ? value : std::nullopt;
}

WordOrder sorted_words(const std::vector<std::string>& words, const CsvDialect& dialect) {
  std::vector<std::size_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> values;
  for (const std::string& word : words) {
    const auto value = word_number(word, dialect);
    if (!value) break;
    values.push_back(*value);
  }
  const bool numbers = values.size() == words.size();
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (numbers && values[a] != values[b]) return values[a] < values[b];
    return words[a] < words[b];
  });
  WordOrder sorted;
  sorted.index.resize(words.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool same = numbers && i > 0 && values[order[i]] == values[order[i - 1]];
    if (!same) sorted.words.push_back(words[order[i]]);
    sorted.index[order[i]] = static_cast<std::int64_t>(sorted.words.size()) - 1;
  }
  return sorted;
}

bool CsvValues::missing_text(std::string_view trimmed) const { return std::find(na.begin(), na.end(), trimmed) != na.end(); }

float add_number(CsvColumn& column, std::string_view field, CsvPlace place, const CsvValues& values) {
  constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
  const std::string_view text = csv_trimmed(field);
  if (values.missing_text(text)) return note_missing(column, field, place), kNothing;
  if (const auto value = csv_number(field, values.dialect); value && !(std::isnan(*value) && csv_missing(field))) {
    if (std::find(values.na_numbers.begin(), values.na_numbers.end(), *value) != values.na_numbers.end()) {
      return note_missing(column, field, place), kNothing;
    }
    if (!(std::abs(*value) <= static_cast<double>(std::numeric_limits<float>::max()))) return std::numeric_limits<float>::infinity();
    note_example(column, field);
    note_number(column, *value);
    if (values.dialect.decimal == ',') note_comma(column, text, place);
    ++column.numbers;
    return static_cast<float>(*value);
  }
  if (csv_missing(text)) return note_missing(column, field, place), kNothing;
  note_example(column, text);
  if (const auto value = csv_bool(text)) {
    note_number(column, *value);
    ++column.bools;
    return static_cast<float>(*value);
  }
  if (column.texts++ == 0) {
    column.first_text = text;
    column.text_place = place;
  }
  return kNothing;
}

std::int64_t add_word(CsvColumn& column, std::string_view field, CsvPlace place, const CsvValues& values) {
  const std::string_view text = csv_trimmed(field);
  if (text.empty() || values.missing_text(text)) return note_missing(column, field, place), -1;
  note_example(column, text);
  ++column.texts;
  if (!column.words) column.words = std::make_unique<WordIndex>();
  return column.words->number(text);
}

LargeNumbers large_numbers(const CsvColumn& column) {
  std::vector<double> values = column.large;
  std::vector<float> floats;
  for (const double value : values) floats.push_back(static_cast<float>(value));
  const auto distinct = [](auto& numbers) {
    std::sort(numbers.begin(), numbers.end());
    return std::unique(numbers.begin(), numbers.end()) - numbers.begin();
  };
  LargeNumbers found{.distinct = distinct(values)};
  found.lost = found.distinct - distinct(floats);
  return found;
}

}  // namespace lockstep
