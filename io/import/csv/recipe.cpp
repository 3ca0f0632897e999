#include "io/import/csv/recipe.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/error.h"
#include "cluster/json.h"
#include "io/data/name_list.h"
#include "io/hdf5/attributes.h"

namespace lockstep {
namespace {

constexpr std::int64_t kFormat = 1;

Json categories_json(const CsvRecipe& recipe) {
  Json list = Json::array();
  for (const auto& [column, categories] : recipe.categories) {
    list.push_back({{"column", column}, {"one_hot", categories.one_hot}, {"words", categories.words}});
  }
  return list;
}

Json fill_json(const CsvRecipe& recipe) {
  Json list = Json::array();
  for (const auto& [column, value] : recipe.fill) list.push_back({{"column", column}, {"value", value}});
  return list;
}

CsvRecipe recipe_from(const Json& json) {
  CsvRecipe recipe;
  if (json.at("format").get<std::int64_t>() != kFormat) throw JsonError("of another version of Lockstep");
  recipe.dialect = {parse_separator(json.at("separator").get<std::string>()), parse_decimal(json.at("decimal").get<std::string>()), 0};
  if (const auto mark = json.value("thousands", std::string()); !mark.empty()) recipe.dialect.thousands = parse_thousands(mark);
  recipe.encoding = parse_encoding(json.at("encoding").get<std::string>());
  json.at("header").get_to(recipe.header);
  json.at("na").get_to(recipe.na);
  json.at("columns").get_to(recipe.columns);
  if (recipe.columns.empty()) throw JsonError("it has no columns");
  json.at("targets").get_to(recipe.targets);
  json.at("drop").get_to(recipe.drop);
  json.at("classes").get_to(recipe.classes);
  json.at("impute").get_to(recipe.impute);
  json.at("split").get_to(recipe.split);
  json.at("seed").get_to(recipe.seed);
  for (const Json& entry : json.at("categories")) {
    const auto column = entry.at("column").get<std::string>();
    recipe.categories[column] = {entry.at("one_hot").get<bool>(), entry.at("words").get<std::vector<std::string>>()};
  }
  for (const Json& entry : json.at("fill")) {
    const auto column = entry.at("column").get<std::string>();
    const auto value = entry.at("value").get<double>();
    const auto words = recipe.categories.find(column);
    const bool index = value >= 0 && words != recipe.categories.end() && value < static_cast<double>(words->second.words.size());
    if (words != recipe.categories.end() && !index) throw JsonError("column '" + column + "' is filled with a word that it does not have");
    recipe.fill[column] = value;
  }
  return recipe;
}

}  // namespace

std::string recipe_json(const CsvRecipe& recipe) {
  return Json{{"format", kFormat},
              {"separator", separator_name(recipe.dialect.separator)},
              {"decimal", std::string(1, recipe.dialect.decimal)},
              {"thousands", recipe.dialect.thousands == 0 ? "" : std::string(1, recipe.dialect.thousands)},
              {"encoding", encoding_name(recipe.encoding)},
              {"header", recipe.header},
              {"na", recipe.na},
              {"columns", recipe.columns},
              {"targets", recipe.targets},
              {"drop", recipe.drop},
              {"classes", recipe.classes},
              {"categories", categories_json(recipe)},
              {"impute", recipe.impute},
              {"fill", fill_json(recipe)},
              {"split", recipe.split},
              {"seed", recipe.seed}}
      .dump();
}

CsvRecipe parse_recipe(const std::string& json, const std::string& origin) {
  try {
    return recipe_from(Json::parse(json));
  } catch (const std::runtime_error& error) {
    throw Error(fmt::format("{}: how its table was read ({}) is damaged: {}", origin, kRecipeAttribute, error.what()));
  }
}

void write_recipe(Hdf5File& file, const CsvRecipe& recipe) { write_string_attribute(file, "/", kRecipeAttribute, recipe_json(recipe)); }

CsvRecipe read_recipe(const Hdf5File& file) {
  if (!has_attribute(file, "/", kRecipeAttribute)) {
    throw Error(file.path() + ": does not say how it was read: it was not made by this version of 'lockstep data import csv'", kUsage);
  }
  return parse_recipe(read_string_attribute(file, "/", kRecipeAttribute), file.path());
}

void expect_same_words(const std::string& own, const std::string& own_origin, const std::string& other, const std::string& other_origin) {
  if (own == other || own.empty() || other.empty()) return;
  const CsvRecipe here = parse_recipe(own, own_origin), there = parse_recipe(other, other_origin);
  for (const auto& [column, categories] : here.categories) {
    const auto found = there.categories.find(column);
    if (categories.one_hot || found == there.categories.end() || found->second.one_hot || found->second.words == categories.words) continue;
    throw Error(
        fmt::format("{}: the numbers in column '{}' stand for the words {}, but in {} for {}; import the table once more with --like",
                    own_origin, column, name_list(categories.words), other_origin, name_list(found->second.words)),
        kUsage);
  }
}

}  // namespace lockstep
