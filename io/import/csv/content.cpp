#include "io/import/csv/content.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "cluster/error.h"
#include "core/network/memory_need.h"
#include "io/data/name_list.h"

namespace lockstep {
namespace {

constexpr std::size_t kMostNamed = 10;  // columns of an option that a message spells out

/// Words where numbers belong: a column of words is told with its options, single words as wrong values.
void expect_numbers(const CsvContent& content) {
  std::vector<std::string> names, found;
  for (const CsvColumn& column : content.columns) {
    const bool used = column.use == CsvColumn::Use::feature || column.use == CsvColumn::Use::target;
    if (!used || column.categories) continue;
    if (column.bools > 0 && column.numbers > 0 && (column.least < 0 || column.greatest > 1 || !column.whole)) {
      throw Error(fmt::format("{}: column '{}' holds both True or False and other numbers ({} to {})", content.files.back(), column.name,
                              column.least, column.greatest));
    }
    if (column.texts == 0) continue;
    const std::string where = content.where(column, column.text_place);
    if (column.use == CsvColumn::Use::target || column.texts <= column.numbers) {
      throw Error(
          fmt::format("{}: expected a number, found '{}' ({} of {} values are no numbers); if it stands for a missing value: --na '{}'",
                      where, column.first_text, column.texts, column.values(), column.first_text));
    }
    names.push_back(column.name);
    found.push_back(fmt::format("'{}' ({})", column.first_text, where));
  }
  if (names.empty()) return;
  throw Error(
      fmt::format("{}: {} words, not numbers: {}; found {}. --one-hot {} makes a column of 0 and 1 for each word, --ordinal {} "
                  "numbers the words, --drop {} leaves the column{} out",
                  content.files.back(), names.size() == 1 ? "a column holds" : fmt::format("{} columns hold", names.size()),
                  name_list(names), name_list(found), names[0], names[0],
                  fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNamed)), ","),
                  names.size() == 1 ? "" : "s"));
}

/// Missing values: none in targets, and none in features unless they are filled.
void expect_complete(const CsvContent& content) {
  std::vector<std::string> others;
  const CsvColumn* first = nullptr;
  for (const CsvColumn& column : content.columns) {
    if (column.missing == 0) continue;
    if (column.use == CsvColumn::Use::target) {
      throw Error(fmt::format("{}: missing value ('{}'; {} of {} rows); a target is never filled in: leave these rows out{}",
                              content.where(column, column.missing_place), column.first_missing, column.missing, content.rows,
                              column.categories || column.first_missing.empty() ? "" : ", or take it as a class with --classes"));
    }
    if (column.use != CsvColumn::Use::feature || content.recipe.fill.contains(column.name)) continue;
    if (!content.source.empty() || content.recipe.impute.empty()) {
      if (first == nullptr) first = &column;
      others.push_back(fmt::format("{} ({})", column.name, column.missing));
    } else if (column.values() == 0) {
      throw Error(fmt::format("{}: column '{}' has no value in any row; --drop it", content.files.back(), column.name));
    }
  }
  if (first == nullptr) return;
  const std::string remedy = content.source.empty() ? "--impute mean, median or most-frequent fills them in; --drop leaves a column out"
                                                    : fmt::format("{} was made without --impute", content.source);
  throw Error(fmt::format("{}: missing value ('{}'); missing in all: {}. {}", content.where(*first, first->missing_place),
                          first->first_missing, name_list(others), remedy));
}

/// New indices for words in order of appearance: of `known` words, or sorted ones, which `known` becomes.
std::vector<std::int64_t> index_words(const CsvContent& content, const CsvColumn& column, std::vector<std::string>& known, bool given) {
  const std::vector<std::string> words = column.words ? column.words->words() : std::vector<std::string>{};
  const char decimal = content.recipe.dialect.decimal;
  if (!given) {
    WordOrder order = sorted_words(words, decimal);
    known = std::move(order.words);
    return order.index;
  }
  std::map<std::string, std::int64_t> index;
  std::map<double, std::int64_t> values;
  for (const std::string& word : known) {
    if (const auto value = csv_number(word, '.')) values.emplace(*value, static_cast<std::int64_t>(index.size()));
    index.emplace(word, static_cast<std::int64_t>(index.size()));
  }
  std::vector<std::int64_t> result;
  for (const std::string& word : words) {
    const auto found = index.find(word);
    const auto value = values.size() == index.size() ? csv_number(word, decimal) : std::nullopt;
    const auto equal = value ? values.find(*value) : values.end();
    if (found == index.end() && equal == values.end()) {
      const bool target = column.use == CsvColumn::Use::target;
      throw Error(fmt::format("{}: column '{}' holds '{}', which is no {} of {}; {}'s: {}; found here: {}", content.files.back(),
                              column.name, word, target ? "class" : "word", content.source, content.source, name_list(known),
                              name_list(words)));
    }
    result.push_back(found != index.end() ? found->second : equal->second);
  }
  return result;
}

/// Numbers of words in x become indices in their final order.
void encode(CsvContent& content) {
  const std::size_t width = content.features.size();
  for (std::size_t f = 0; f < width; ++f) {
    const CsvColumn& column = content.columns[content.features[f]];
    if (!column.categories) continue;
    CsvCategories& categories = content.recipe.categories[column.name];
    categories.one_hot = column.one_hot;
    const auto index = index_words(content, column, categories.words, !content.source.empty());
    for (std::size_t at = f; at < content.x.size(); at += width) {
      if (content.x[at] >= 0) content.x[at] = static_cast<float>(index[static_cast<std::size_t>(content.x[at])]);
    }
  }
}

/// Of values that are there; `values` is sorted on the way.
double filling(std::vector<float>& values, const std::string& method) {
  if (method == "mean") {
    return std::accumulate(values.begin(), values.end(), 0.0, [](double sum, float v) { return sum + static_cast<double>(v); }) /
           static_cast<double>(values.size());
  }
  std::sort(values.begin(), values.end());
  if (method == "median") {
    const std::size_t half = values.size() / 2;
    const auto middle = static_cast<double>(values[half]);
    return values.size() % 2 == 1 ? middle : (static_cast<double>(values[half - 1]) + middle) / 2;
  }
  float best = values.front();
  std::ptrdiff_t most = 0;
  for (auto at = values.begin(); at != values.end();) {  // of equally frequent ones the smallest
    const auto end = std::upper_bound(at, values.end(), *at);
    if (end - at > most) {
      most = end - at;
      best = *at;
    }
    at = end;
  }
  return static_cast<double>(best);
}

bool is_missing(const CsvColumn& column, float value) { return column.categories ? value < 0 : std::isnan(value); }

/// What fills each column, from these rows (or, where they have none, from all).
void find_fillings(CsvContent& content, const std::vector<std::int64_t>& rows) {
  if (content.recipe.impute.empty() || !content.source.empty()) return;
  const std::size_t width = content.features.size();
  std::vector<float> values;
  for (std::size_t f = 0; f < width; ++f) {
    const CsvColumn& column = content.columns[content.features[f]];
    values.clear();
    for (const std::int64_t row : rows) {
      const float value = content.x[static_cast<std::size_t>(row) * width + f];
      if (!is_missing(column, value)) values.push_back(value);
    }
    for (std::size_t at = f; values.empty() && at < content.x.size(); at += width) {
      if (!is_missing(column, content.x[at])) values.push_back(content.x[at]);
    }
    content.recipe.fill[column.name] = filling(values, column.categories ? "most-frequent" : content.recipe.impute);
  }
}

void fill(CsvContent& content) {
  const std::size_t width = content.features.size();
  for (std::size_t f = 0; f < width; ++f) {
    const CsvColumn& column = content.columns[content.features[f]];
    if (column.missing == 0) continue;
    const auto value = static_cast<float>(content.recipe.fill.at(column.name));
    for (std::size_t at = f; at < content.x.size(); at += width) {
      if (is_missing(column, content.x[at])) content.x[at] = value;
    }
  }
}

/// Columns of x from features: one for each, or one for each word of a one-hot column.
void expand(CsvContent& content, Table& table) {
  const std::size_t width = content.features.size();
  std::vector<std::size_t> columns;  // of x that a feature takes
  for (const std::size_t f : content.features) {
    const CsvColumn& column = content.columns[f];
    if (!column.one_hot) {
      table.feature_names.push_back(column.name);
      columns.push_back(1);
      continue;
    }
    const std::vector<std::string>& words = content.recipe.categories.at(column.name).words;
    for (const std::string& word : words) table.feature_names.push_back(column.name + "=" + word);
    columns.push_back(words.size());
  }
  const std::size_t wide = table.feature_names.size();
  if (wide == width && std::none_of(content.columns.begin(), content.columns.end(), [](const CsvColumn& c) { return c.one_hot; })) {
    table.x = std::move(content.x);
    return;
  }
  const auto rows = static_cast<std::size_t>(content.rows);
  expect_memory(4.0 * static_cast<double>(rows) * static_cast<double>(wide), fmt::format("{}: {} columns", content.files.back(), wide),
                "--ordinal gives a column of many words one number each");
  table.x.assign(rows * wide, 0);
  for (std::size_t row = 0, out = 0; row < rows; ++row) {
    for (std::size_t f = 0; f < width; out += columns[f++]) {
      const float value = content.x[row * width + f];
      if (content.columns[content.features[f]].one_hot)
        table.x[out + static_cast<std::size_t>(value)] = 1;
      else
        table.x[out] = value;
    }
  }
}

void set_targets(CsvContent& content, Table& table) {
  for (const std::size_t target : content.targets) table.target_names.push_back(content.columns[target].name);
  if (!content.classes) {
    table.y = std::move(content.y);
    return;
  }
  std::vector<std::string> classes = content.recipe.classes.value_or(std::vector<std::string>{});
  const auto index = index_words(content, content.columns[content.targets.front()], classes, !content.source.empty());
  for (const std::int64_t label : content.labels) table.labels.push_back(index[static_cast<std::size_t>(label)]);
  table.class_names = classes;
  content.recipe.classes = std::move(classes);
}

/// Of rows in the order in which they are dealt out: those of the split `train`, of the first one where none is called so.
std::vector<std::int64_t> training_rows(const std::vector<std::int64_t>& rows, const std::vector<Split>& splits) {
  auto train = std::find_if(splits.begin(), splits.end(), [](const Split& split) { return split.name == "train"; });
  if (train == splits.end()) train = splits.begin();
  const auto before = [](std::int64_t sum, const Split& split) { return sum + split.rows; };
  const auto first = rows.begin() + std::accumulate(splits.begin(), train, std::int64_t{0}, before);
  return {first, first + train->rows};
}

}  // namespace

std::string CsvContent::where(const CsvColumn& column, CsvPlace place) const {
  return fmt::format("{}, line {}, column '{}'", files[place.file], place.line, column.name);
}

CsvImport settle(CsvContent content) {
  expect_numbers(content);
  expect_complete(content);
  CsvImport result;
  const bool shuffled = !content.recipe.split.empty();
  result.splits = parse_split(shuffled ? content.recipe.split : "train=1", content.rows);
  if (shuffled) result.seed = content.recipe.seed;
  encode(content);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(content.rows));
  std::iota(rows.begin(), rows.end(), 0);
  if (shuffled) rows = shuffled_rows(content.rows, content.recipe.seed);
  find_fillings(content, training_rows(rows, result.splits));
  fill(content);
  result.table.rows = content.rows;
  set_targets(content, result.table);
  expand(content, result.table);
  if (content.source.empty()) {
    for (const std::size_t feature : content.features) content.recipe.columns.push_back(content.columns[feature].name);
  }
  result.recipe = std::move(content.recipe);
  return result;
}

}  // namespace lockstep
