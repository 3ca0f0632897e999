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

/// A comma that may separate thousands is not taken for a decimal sign unless another number of the files shows that it is one.
void expect_decimal_commas(const CsvContent& content) {
  if (content.decimal_given) return;
  const CsvColumn* unsure = nullptr;
  for (const CsvColumn& column : content.columns) {
    if (column.decimal_commas > 0) return;
    if (unsure == nullptr && !column.first_unsure.empty()) unsure = &column;
  }
  if (unsure == nullptr) return;
  std::string pointed = unsure->first_unsure, joined = pointed;
  std::replace(pointed.begin(), pointed.end(), ',', '.');
  std::erase(joined, ',');
  throw Error(fmt::format("{}: '{}' may be {} or {}, and no other number shows which; --decimal , reads it as {}, --thousands , as {}",
                          content.where(*unsure, unsure->unsure_place), unsure->first_unsure, pointed, joined, pointed, joined));
}

/// What to do about a text like 1,234: nothing if it is none.
std::string thousands_advice(const CsvContent& content, const std::string& text) {
  for (const char mark : std::string_view(",.' ")) {
    if (mark == content.recipe.dialect.thousands || !csv_grouped(text, mark)) continue;
    std::string joined(csv_trimmed(text));
    std::erase(joined, mark);
    if (!csv_number(joined, mark == '.' ? ',' : mark == ',' ? '.' : content.recipe.dialect.decimal)) continue;
    return fmt::format("; --thousands {} reads it as {}", mark == ' ' ? "space" : mark == '\'' ? "\"'\"" : std::string(1, mark), joined);
  }
  return content.recipe.dialect.decimal == '.' && csv_number(text, ',') ? "; --decimal , takes its comma as the decimal sign" : "";
}

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
    std::string advice = thousands_advice(content, column.first_text);
    const bool given = !content.source.empty();
    if (column.use == CsvColumn::Use::target || column.texts <= column.numbers || !advice.empty() || given) {
      if (advice.empty()) {
        advice = given ? fmt::format("; {} has numbers there", content.source)
                       : fmt::format("; if it stands for a missing value: --na '{}'", column.first_text);
      }
      throw Error(fmt::format("{}: expected a number, found '{}' ({} of {} values are no numbers){}", where, column.first_text,
                              column.texts, column.values(), advice));
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
  const CsvDialect& dialect = content.recipe.dialect;
  if (!given) {
    WordOrder order = sorted_words(words, dialect);
    known = std::move(order.words);
    return order.index;
  }
  std::map<std::string, std::int64_t> index;
  std::map<double, std::int64_t> values;
  for (const std::string& word : known) {
    if (const auto value = word_number(word, {.decimal = '.'})) values.emplace(*value, static_cast<std::int64_t>(index.size()));
    index.emplace(word, static_cast<std::int64_t>(index.size()));
  }
  std::vector<std::int64_t> result;
  for (const std::string& word : words) {
    const auto found = index.find(word);
    const auto value = values.size() == index.size() ? word_number(word, dialect) : std::nullopt;
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
  std::vector<std::string> classes = content.recipe.classes.value_or(std::vector<std::string>{});
  if (!content.has_targets) table.class_names = classes;
  if (!content.has_targets) return;
  if (!content.classes) {
    table.y = std::move(content.y);
    return;
  }
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

/// The splits of the rows. Without targets, and where a recipe's split would leave one without rows, all rows stay together in order.
std::vector<Split> choose_splits(CsvContent& content, std::vector<std::string>& notes) {
  std::string& split = content.recipe.split;
  const std::vector<Split> dealt = deal_out(split.empty() ? "train=1" : split, content.rows);
  if (content.split_given) return expect_rows(dealt, split);
  if (!content.has_targets) {
    split.clear();
    notes.push_back(fmt::format("{}: no column {}: the rows go to /test/x in their order, without targets", content.files.back(),
                                name_list(content.recipe.targets)));
    return {{"test", content.rows}};
  }
  const bool empty = std::any_of(dealt.begin(), dealt.end(), [](const Split& part) { return part.rows < 1; });
  if (!empty) return dealt;
  notes.push_back(fmt::format("{}: {} rows are too few for the split of {} ({}): all go to train in their order", content.files.back(),
                              content.rows, content.source, split));
  split.clear();
  return {{"train", content.rows}};
}

}  // namespace

std::string CsvContent::where(const CsvColumn& column, CsvPlace place) const {
  return fmt::format("{}, line {}, column '{}'", files[place.file], place.line, column.name);
}

CsvImport settle(CsvContent content) {
  expect_decimal_commas(content);
  expect_numbers(content);
  expect_complete(content);
  CsvImport result;
  result.splits = choose_splits(content, result.notes);
  const bool shuffled = !content.recipe.split.empty();
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
  result.ids = std::move(content.ids);
  return result;
}

}  // namespace lockstep
