#include "io/import/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "cluster/error.h"

namespace lockstep {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, last - first + 1);
}

/// A decimal number, finite or not; nothing else around it.
std::optional<double> number(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range) return std::numeric_limits<double>::infinity();
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

bool is_missing(std::string_view text) {
  static constexpr std::string_view kMissing[] = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"};
  return std::find(std::begin(kMissing), std::end(kMissing), trimmed(text)) != std::end(kMissing);
}

/// Where columns go.
struct Plan {
  std::vector<std::size_t> features, targets;
};

std::size_t column_of(const std::vector<std::string>& header, const std::string& column, const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), column);
  if (found == header.end())
    throw Error(fmt::format("{}: there is no column '{}'; its columns are: {}", name, column, fmt::join(header, ", ")));
  return static_cast<std::size_t>(found - header.begin());
}

Plan plan_columns(const std::vector<std::string>& header, const std::string& name, const CsvOptions& options) {
  std::set<std::string> seen;
  for (const std::string& column : header) {
    if (column.empty()) throw Error(fmt::format("{}, line 1: column {} has no name", name, seen.size() + 1));
    if (!seen.insert(column).second) throw Error(fmt::format("{}, line 1: two columns are called '{}'", name, column));
  }
  if (std::all_of(header.begin(), header.end(), [](const std::string& field) { return number(field).has_value(); })) {
    throw Error(fmt::format("{}, line 1: expected a header with the names of the columns, found only numbers", name));
  }
  std::set<std::size_t> taken;
  Plan plan;
  for (const std::string& target : options.targets) {
    plan.targets.push_back(column_of(header, target, name));
    if (!taken.insert(plan.targets.back()).second) throw Error(fmt::format("target '{}' is named twice", target), kUsage);
  }
  for (const std::string& column : options.drop) {
    if (!taken.insert(column_of(header, column, name)).second)
      throw Error(fmt::format("column '{}' is dropped twice or is a target", column), kUsage);
  }
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (!taken.contains(i)) plan.features.push_back(i);
  }
  if (plan.targets.empty()) throw Error(name + ": no target column was named", kUsage);
  if (plan.features.empty()) throw Error(name + ": no column is left for the features");
  return plan;
}

float number_at(const std::string& field, const std::string& name, std::int64_t line, const std::string& column) {
  const auto fail = [&](const std::string& what) { throw Error(fmt::format("{}, line {}, column '{}': {}", name, line, column, what)); };
  if (is_missing(field)) fail("missing value ('" + field + "'); fill it in or leave the row out");
  const std::optional<double> value = number(field);
  if (!value) fail("expected a number, found '" + field + "'");
  if (!(std::abs(*value) <= static_cast<double>(std::numeric_limits<float>::max()))) fail("'" + field + "' is beyond the range of float32");
  return static_cast<float>(*value);
}

/// Class texts of all rows as indices into their sorted distinct values: as numbers if all are numbers.
void index_classes(Table& table, const std::vector<std::string>& values) {
  std::set<std::string> distinct(values.begin(), values.end());
  table.class_names.assign(distinct.begin(), distinct.end());
  if (std::all_of(distinct.begin(), distinct.end(), [](const std::string& value) { return number(value).has_value(); })) {
    std::stable_sort(table.class_names.begin(), table.class_names.end(),
                     [](const auto& a, const auto& b) { return *number(a) < *number(b); });
  }
  std::map<std::string, std::int64_t> index;
  for (const std::string& value : table.class_names) index.emplace(value, static_cast<std::int64_t>(index.size()));
  for (const std::string& value : values) table.labels.push_back(index.at(value));
}

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // a spreadsheet's byte order mark
}

void CsvReader::fail(const std::string& what) const { throw Error(fmt::format("{}, line {}: {}", name_, next_line_, what)); }

std::string CsvReader::quoted_field() {
  const std::int64_t opened = next_line_;
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++next_line_;
    if (text_[at_] != '"') {
      field += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      field += text_[++at_];
    } else {
      ++at_;
      const bool ends = at_ == text_.size() || text_[at_] == ',' || text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n");
      if (!ends) fail("text after a closing quote (a quote inside a quoted field is written twice)");
      return field;
    }
  }
  throw Error(fmt::format("{}, line {}: a quoted field is never closed", name_, opened));
}

std::string CsvReader::plain_field() {
  const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
  std::string_view field = text_.substr(at_, end - at_);
  at_ = end;
  if (field.ends_with('\r') && (end == text_.size() || text_[end] == '\n')) field.remove_suffix(1);
  if (field.find('"') != std::string_view::npos) fail("a quote inside a field that is not quoted");
  if (field.find('\r') != std::string_view::npos) fail("a lone carriage return; expected LF or CRLF line ends");
  if (field.find('\0') != std::string_view::npos) fail("a zero byte; this is no text file");
  return std::string(field);
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  if (text_.find_first_not_of("\r\n", at_) == std::string_view::npos) return false;  // blank lines at the end are no records
  line_ = next_line_;
  while (true) {
    fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_field() : plain_field());
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    if (at_ >= text_.size()) return true;
    if (text_[at_++] == '\n') {
      ++next_line_;
      return true;
    }
  }
}

Table read_csv(std::string_view text, const std::string& name, const CsvOptions& options) {
  CsvReader reader(text, name);
  std::vector<std::string> header, fields, classes;
  if (!reader.next(header)) throw Error(name + ": empty; expected a header line");
  for (std::string& column : header) column = std::string(trimmed(column));
  const Plan plan = plan_columns(header, name, options);
  Table table;
  for (std::size_t i : plan.features) table.feature_names.push_back(header[i]);
  for (std::size_t i : plan.targets) table.target_names.push_back(header[i]);
  bool class_target = options.classes;
  while (reader.next(fields)) {
    if (fields.size() != header.size()) {
      throw Error(fmt::format("{}, line {}: {} fields, but the header has {}", name, reader.line(), fields.size(), header.size()));
    }
    if (table.rows == 0 && plan.targets.size() == 1 && !is_missing(fields[plan.targets[0]])) {
      class_target = class_target || !number(fields[plan.targets[0]]);
    }
    for (std::size_t i : plan.features) table.x.push_back(number_at(fields[i], name, reader.line(), header[i]));
    for (std::size_t i : plan.targets) {
      if (!class_target) table.y.push_back(number_at(fields[i], name, reader.line(), header[i]));
      if (!class_target) continue;
      if (is_missing(fields[i]))
        throw Error(fmt::format("{}, line {}, column '{}': missing value ('{}')", name, reader.line(), header[i], fields[i]));
      classes.emplace_back(trimmed(fields[i]));
    }
    ++table.rows;
  }
  if (table.rows == 0) throw Error(name + ": no row after the header");
  if (class_target && plan.targets.size() > 1) throw Error("--classes goes with a single target column", kUsage);
  if (class_target) index_classes(table, classes);
  return table;
}

}  // namespace lockstep
