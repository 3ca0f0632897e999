#include "io/import/csv/recipe.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/json.h"
#include "io/hdf5/attributes.h"

namespace lockstep {
namespace {

const char* const kAttribute = "csv_import";
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

CsvRecipe parse_recipe(const Json& json) {
  CsvRecipe recipe;
  if (json.at("format").get<std::int64_t>() != kFormat) throw JsonError("of another version of Lockstep");
  recipe.dialect = {parse_separator(json.at("separator").get<std::string>()), parse_decimal(json.at("decimal").get<std::string>()), 0};
  if (const auto mark = json.value("thousands", std::string()); !mark.empty()) recipe.dialect.thousands = parse_thousands(mark);
  recipe.encoding = parse_encoding(json.at("encoding").get<std::string>());
  json.at("header").get_to(recipe.header);
  json.at("na").get_to(recipe.na);
  json.at("columns").get_to(recipe.columns);
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

void write_recipe(Hdf5File& file, const CsvRecipe& recipe) {
  const Json json{{"format", kFormat},
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
                  {"seed", recipe.seed}};
  write_string_attribute(file, "/", kAttribute, json.dump());
}

CsvRecipe read_recipe(const Hdf5File& file) {
  if (!has_attribute(file, "/", kAttribute)) {
    throw Error(file.path() + ": does not say how it was read: it was not made by this version of 'lockstep data import csv'", kUsage);
  }
  const std::string text = read_string_attribute(file, "/", kAttribute);
  try {
    return parse_recipe(Json::parse(text));
  } catch (const JsonError& error) {
    throw Error(file.path() + ": attribute '" + kAttribute + "' is damaged: " + error.what());
  }
}

}  // namespace lockstep
