#include "io/import/csv/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "cluster/error.h"
#include "io/data/name_list.h"
#include "io/import/csv/records.h"

namespace lockstep {
namespace {

constexpr std::size_t kNowhere = ~std::size_t{0};

bool may_be_index(const std::string& name) { return name.empty() || name == "Unnamed: 0"; }

/// The column that a table's program puts before the others to number rows.
std::optional<std::size_t> index_field(const std::vector<std::string>& header, const std::vector<CsvColumn>& columns) {
  if (header.size() < 2 || !may_be_index(header[0])) return {};
  const bool wanted = std::any_of(columns.begin(), columns.end(),
                                  [&](const CsvColumn& column) { return column.name == header[0] && column.use != CsvColumn::Use::index; });
  return wanted ? std::nullopt : std::optional<std::size_t>(0);
}

/// Distinct whole numbers, as they come.
class IndexCheck {
 public:
  void add(std::string_view field, std::int64_t line, const std::string& name) {
    const auto value = csv_number(field, '.');
    if (value && *value == std::floor(*value) && numbers_.insert(*value).second) return;
    throw Error(fmt::format("{}, line {}: column 1 has no name and numbers no rows ('{}'); give it a name in line 1", name, line, field));
  }

 private:
  std::unordered_set<double> numbers_;
};

std::vector<std::string> numbered_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back(fmt::format("c{}", i));
  return names;
}

std::vector<std::string> joined(std::vector<std::string> names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

void check_header(const std::vector<std::string>& header, const std::string& name) {
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i].empty() && !(i == 0 && header.size() > 1)) throw Error(fmt::format("{}, line 1: column {} has no name", name, i + 1));
    if (!seen.insert(header[i]).second) throw Error(fmt::format("{}, line 1: two columns are called '{}'", name, header[i]));
  }
  const bool numbers =
      std::all_of(header.begin(), header.end(), [](const std::string& field) { return csv_number(field, '.').has_value(); });
  if (numbers) {
    throw Error(
        fmt::format("{}, line 1: expected a header with the names of the columns, found only numbers; --no-header takes it as the "
                    "first row and calls the columns c1 to c{}",
                    name, header.size()));
  }
}

}  // namespace

CsvFiles::CsvFiles(CsvOptions options) : options_(std::move(options)) {
  content_.recipe.encoding = options_.encoding.value_or(TextEncoding::utf8);
  content_.recipe.header = options_.header;
  content_.recipe.na = options_.na;
  content_.recipe.targets = options_.targets;
  content_.recipe.drop = options_.drop;
  content_.recipe.impute = options_.impute;
  content_.recipe.split = options_.split;
  content_.recipe.seed = options_.seed;
  content_.decimal_given = options_.decimal.has_value();
  if (options_.classes && options_.targets.size() > 1) throw Error("--classes goes with a single target column", kUsage);
  if (options_.classes) target_kind_ = TargetKind::classes;
  if (options_.targets.size() > 1) target_kind_ = TargetKind::numbers;
  for (const std::string& text : content_.recipe.na) {
    values_.na.emplace_back(csv_trimmed(text));
    if (const auto value = csv_number(text, '.')) values_.na_numbers.push_back(*value);
  }
}

CsvFiles::CsvFiles(CsvRecipe recipe, std::string source, const CsvOptions& options)
    : CsvFiles(CsvOptions{.targets = options.features_only ? std::vector<std::string>{} : recipe.targets,
                          .drop = options.features_only ? joined(recipe.drop, recipe.targets) : recipe.drop,
                          .classes = !options.features_only && recipe.classes.has_value(),
                          .na = recipe.na,
                          .impute = recipe.impute,
                          .header = recipe.header && options.header,
                          .separator = options.separator ? options.separator : std::optional(recipe.dialect.separator),
                          .decimal = options.decimal ? options.decimal : std::optional(recipe.dialect.decimal),
                          .thousands = options.thousands ? options.thousands : std::optional(recipe.dialect.thousands),
                          .encoding = options.encoding ? options.encoding : std::optional(recipe.encoding),
                          .split = options.split.empty() && !options.features_only ? recipe.split : options.split,
                          .seed = options.split.empty() ? recipe.seed : options.seed,
                          .features_only = options.features_only,
                          .ids = options.ids}) {
  content_.source = std::move(source);
  content_.split_given = !options.split.empty();
  content_.recipe.columns = std::move(recipe.columns);
  if (!options.features_only) content_.recipe.classes = std::move(recipe.classes);
  content_.recipe.categories = std::move(recipe.categories);
  content_.recipe.fill = std::move(recipe.fill);
  for (const std::string& column : options.drop) {
    const auto& needed = content_.recipe.columns;
    if (std::find(needed.begin(), needed.end(), column) != needed.end())
      throw Error(fmt::format("--drop {}: {} has that column among its features", column, content_.source), kUsage);
    const auto& dropped = content_.recipe.drop;
    if (std::find(dropped.begin(), dropped.end(), column) == dropped.end()) content_.recipe.drop.push_back(column);
  }
  if (!content_.recipe.classes) target_kind_ = TargetKind::numbers;
  content_.files.push_back(content_.source);
  std::vector<std::string> names = content_.recipe.columns;
  names.insert(names.end(), content_.recipe.targets.begin(), content_.recipe.targets.end());
  names.insert(names.end(), content_.recipe.drop.begin(), content_.recipe.drop.end());
  plan(names, content_.source);
}

/// Columns of the table from the names of the first file, or of the recipe.
void CsvFiles::plan(const std::vector<std::string>& header, const std::string& name) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < header.size(); ++i) {
    places.emplace(header[i], i);
    content_.columns.emplace_back().name = header[i];
  }
  const auto column = [&](const std::string& wanted) -> CsvColumn& {
    const auto found = places.find(wanted);
    if (found == places.end())
      throw Error(fmt::format("{}: there is no column '{}'; its columns are: {}", name, wanted, name_list(header)));
    return content_.columns[found->second];
  };
  for (const std::string& target : content_.recipe.targets) {
    if (column(target).use == CsvColumn::Use::target) throw Error(fmt::format("target '{}' is named twice", target), kUsage);
    column(target).use = CsvColumn::Use::target;
    content_.targets.push_back(places.at(target));
  }
  for (const std::string& dropped : content_.recipe.drop) {
    CsvColumn& found = column(dropped);
    if (found.use != CsvColumn::Use::feature) throw Error(fmt::format("column '{}' is dropped twice or is a target", dropped), kUsage);
    found.use = CsvColumn::Use::dropped;
  }
  for (const bool one_hot : {true, false}) {
    for (const std::string& encoded : one_hot ? options_.one_hot : options_.ordinal) {
      CsvColumn& found = column(encoded);
      if (found.use != CsvColumn::Use::feature || found.categories)
        throw Error(fmt::format("column '{}' is encoded twice, dropped, or a target", encoded), kUsage);
      found.categories = true;
      found.one_hot = one_hot;
    }
  }
  for (const auto& [encoded, categories] : content_.recipe.categories) {
    column(encoded).categories = true;
    column(encoded).one_hot = categories.one_hot;
  }
  CsvColumn& index = content_.columns.front();
  if (header.size() > 1 && may_be_index(index.name) && index.use == CsvColumn::Use::feature && !index.categories) {
    index.use = CsvColumn::Use::index;
  }
  for (std::size_t i = 0; i < content_.columns.size(); ++i) {
    if (content_.columns[i].use == CsvColumn::Use::feature) content_.features.push_back(i);
  }
  if (content_.targets.empty() && !options_.features_only) throw Error(name + ": no target column was named", kUsage);
  if (content_.features.empty()) throw Error(name + ": no column is left for the features");
  if (!content_.targets.empty()) content_.columns[content_.targets.front()].categories = target_kind_ == TargetKind::classes;
  content_.ids.resize(options_.ids.size());
}

/// The field of each column in a file's records.
std::vector<std::size_t> CsvFiles::fields_of(const std::vector<std::string>& header, const std::string& name) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < header.size(); ++i) places.emplace(header[i], i);
  if (content_.rows == 0 && !content_.source.empty()) {
    content_.has_targets = std::any_of(content_.recipe.targets.begin(), content_.recipe.targets.end(),
                                       [&](const std::string& target) { return places.contains(target); });
  }
  std::vector<std::size_t> fields(content_.columns.size(), kNowhere);
  std::vector<std::string> missing, unknown;
  for (std::size_t i = 0; i < content_.columns.size(); ++i) {
    const auto found = places.find(content_.columns[i].name);
    if (found != places.end()) fields[i] = found->second;
    const CsvColumn::Use use = content_.columns[i].use;
    const bool used = use == CsvColumn::Use::feature || (use == CsvColumn::Use::target && content_.has_targets);
    if (used && found == places.end()) missing.push_back(content_.columns[i].name);
    if (found != places.end()) places.erase(found);
  }
  const auto& ids = options_.ids;
  for (const std::string& left : header) {
    const bool passed = (left == header[0] && may_be_index(left)) || std::find(ids.begin(), ids.end(), left) != ids.end();
    if (places.contains(left) && !passed) unknown.push_back(left);
  }
  if (!missing.empty() || !unknown.empty()) {
    throw Error(fmt::format("{}: its columns are not those of {}: {}{}{}{}{}", name, content_.files.front(),
                            missing.empty() ? "" : "missing: " + name_list(missing), missing.empty() || unknown.empty() ? "" : "; ",
                            unknown.empty() ? "" : "unknown: " + name_list(unknown),
                            unknown.empty()          ? ""
                            : options_.features_only ? " (--id COLUMN carries one through to the answers)"
                                                     : " (--drop leaves columns out)",
                            missing.empty() ? "" : "; found: " + name_list(header)));
  }
  const bool sorted = std::is_sorted(content_.features.begin(), content_.features.end(),
                                     [&](std::size_t a, std::size_t b) { return fields[a] < fields[b]; });
  if (!sorted)
    notes_.push_back(
        fmt::format("{}: its columns are in another order than those of {}; they are taken by name", name, content_.files.front()));
  return fields;
}

/// Of a file without a header: c1, c2, ..., or, where only the features are there, theirs.
std::vector<std::string> CsvFiles::column_names(std::size_t count, const std::string& name) const {
  const std::size_t features = content_.features.size(), columns = content_.columns.size();
  if (options_.features_only && count != features && count != columns) {
    throw Error(fmt::format("{}: expected the {} features or all {} columns, since there is no header that names them, found {} fields",
                            name, features, columns, count),
                kUsage);
  }
  if (!options_.features_only || count == columns) return numbered_names(count);
  std::vector<std::string> names;
  for (const std::size_t feature : content_.features) names.push_back(content_.columns[feature].name);
  return names;
}

/// The fields of CsvOptions::ids in a file's records.
std::vector<std::size_t> CsvFiles::id_fields(const std::vector<std::string>& header, const std::string& name) const {
  std::vector<std::size_t> fields;
  for (const std::string& id : options_.ids) {
    const auto found = std::find(header.begin(), header.end(), id);
    if (found == header.end())
      throw Error(fmt::format("{}: there is no column '{}'; its columns are: {}", name, id, name_list(header)), kUsage);
    fields.push_back(static_cast<std::size_t>(found - header.begin()));
  }
  return fields;
}

float CsvFiles::number_of(CsvColumn& column, std::string_view field, CsvPlace place) {
  const float value = add_number(column, field, place, values_);
  if (std::isinf(value)) throw Error(fmt::format("{}: '{}' is beyond the range of float32", content_.where(column, place), field));
  return value;
}

/// The first value that is not missing decides whether the target is a class. Before it, NA or None may be either.
void CsvFiles::add_target(CsvColumn& column, std::string_view field, CsvPlace place) {
  if (target_kind_ == TargetKind::unknown && !csv_missing(field) && !values_.missing_text(csv_trimmed(field))) {
    const bool number = csv_number(field, values_.dialect).has_value();
    target_kind_ = number ? TargetKind::numbers : TargetKind::classes;
    column.categories = !number;
    if (column.categories) column.missing = 0;
    for (const auto& [text, where] : unsure_) {
      if (column.categories) content_.labels.push_back(add_word(column, text, where, values_));
    }
    if (column.categories) content_.y.clear();
    unsure_.clear();
  }
  switch (target_kind_) {
    case TargetKind::classes: content_.labels.push_back(add_word(column, field, place, values_)); break;
    case TargetKind::numbers: content_.y.push_back(number_of(column, field, place)); break;
    case TargetKind::unknown:
      unsure_.emplace_back(field, place);
      content_.y.push_back(number_of(column, field, place));
      break;
  }
}

void CsvFiles::read_rows(std::string_view text, const std::string& name, const Layout& layout) {
  CsvReader reader(text, name, content_.recipe.dialect.separator);
  std::vector<std::string_view> fields;
  if (content_.recipe.header) reader.next(fields);
  reader.skip_lines(layout.lines_before);
  IndexCheck numbers;
  const std::size_t start = reader.position();
  bool reserved = false;
  while (reader.next(fields)) {
    if (!reserved) {  // room for as many rows of the first one's length as there may be
      const std::size_t rows = (text.size() - start) / std::max<std::size_t>(reader.position() - start, 1);
      content_.x.reserve(content_.x.size() + std::min(rows + rows / 16, text.size() / (2 * layout.width) + 1) * content_.features.size());
      reserved = true;
    }
    if (fields.size() != layout.width) {
      throw Error(fmt::format("{}, line {}: {} fields, but {} has {}", name, reader.line(), fields.size(),
                              content_.recipe.header ? "the header" : "the first row", layout.width));
    }
    const CsvPlace place{reader.line(), content_.files.size() - 1};
    if (layout.index) numbers.add(fields[*layout.index], place.line, name);
    for (const std::size_t i : content_.features) {
      CsvColumn& column = content_.columns[i];
      content_.x.push_back(column.categories ? static_cast<float>(add_word(column, fields[layout.places[i]], place, values_))
                                             : number_of(column, fields[layout.places[i]], place));
    }
    for (std::size_t t = 0; content_.has_targets && t < content_.targets.size(); ++t) {
      const std::size_t i = content_.targets[t];
      add_target(content_.columns[i], fields[layout.places[i]], place);
    }
    for (std::size_t i = 0; i < layout.ids.size(); ++i) content_.ids[i].emplace_back(fields[layout.ids[i]]);
    ++content_.rows;
  }
}

void CsvFiles::add(std::string bytes, const std::string& name, std::int64_t lines_before) {
  const std::string text = to_utf8(std::move(bytes), content_.recipe.encoding, name, lines_before);
  content_.recipe.dialect = recognise_dialect(text, options_.separator, options_.decimal, options_.thousands.value_or(0));
  values_.dialect = content_.recipe.dialect;
  CsvReader reader(text, name, content_.recipe.dialect.separator);
  std::vector<std::string_view> first;
  if (!reader.next(first)) throw Error(name + (content_.recipe.header ? ": empty; expected a header line" : ": empty; expected rows"));
  std::vector<std::string> header;
  for (const std::string_view field : first) header.emplace_back(csv_trimmed(field));
  if (content_.recipe.header)
    check_header(header, name);
  else
    header = column_names(header.size(), name);
  if (content_.columns.empty()) plan(header, name);
  content_.files.push_back(name);
  const std::vector<std::size_t> places = fields_of(header, name), ids = id_fields(header, name);
  std::optional<std::size_t> index = index_field(header, content_.columns);
  if (index && std::find(ids.begin(), ids.end(), *index) != ids.end()) index.reset();
  if (index) notes_.push_back(name + ": column 1 has no name of its own and numbers the rows: an index, left out");
  const std::int64_t before = content_.rows;
  read_rows(text, name, {header.size(), index, places, ids, lines_before});
  if (content_.rows == before) throw Error(name + (content_.recipe.header ? ": no row after the header" : ": no rows"));
}

std::vector<std::string> CsvFiles::notes() const {
  std::vector<std::string> notes = notes_;
  if (!content_.decimal_given && content_.recipe.dialect.decimal == ',')
    notes.push_back(content_.files.back() + ": numbers have a decimal comma (--decimal says otherwise)");
  for (const CsvColumn& column : content_.columns) {
    if (!column.categories || !column.words) continue;
    const bool target = column.use == CsvColumn::Use::target;
    for (const std::string& word : column.words->words()) {
      if (!csv_missing(word) || !content_.source.empty()) continue;
      notes.push_back(fmt::format("{}: column '{}': '{}' is {}, not a missing value (--na {} makes it one)", content_.files.back(),
                                  column.name, word, target ? "a class" : "a word like the others", word));
    }
  }
  return notes;
}

CsvImport CsvFiles::finish() {
  content_.classes = target_kind_ == TargetKind::classes;
  return settle(std::move(content_));
}

Table read_csv(std::string_view text, const std::string& name, const CsvOptions& options) {
  CsvFiles files(options);
  files.add(std::string(text), name);
  return files.finish().table;
}

}  // namespace lockstep
