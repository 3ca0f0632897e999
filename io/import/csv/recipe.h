#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/file.h"
#include "io/import/csv/dialect.h"
#include "io/import/csv/encoding.h"

namespace lockstep {

/// How the words of a column become numbers.
struct CsvCategories {
  bool one_hot = false;            ///< a column of 0 and 1 for each word; else the index of the word
  std::vector<std::string> words;  ///< in the order of their columns or indices
};

/// How CSV files were read, all that it takes to read the next file in the same way. A data file keeps it as a text (JSON) in the attribute
/// "csv_import" of its root group.
struct CsvRecipe {
  CsvDialect dialect;
  TextEncoding encoding = TextEncoding::utf8;
  bool header = true;
  std::vector<std::string> na;       ///< further texts of missing values
  std::vector<std::string> columns;  ///< those that became features, in this order
  std::vector<std::string> targets, drop;
  std::optional<std::vector<std::string>> classes;  ///< of the target; nothing: the targets are numbers
  std::map<std::string, CsvCategories> categories;  ///< by column
  std::string impute;                               ///< method, or empty
  std::map<std::string, double> fill;               ///< by column: what missing values become; of categories an index
  std::string split;                                ///< "train=0.8,test=0.2", or empty: all rows in order
  std::uint64_t seed = 0;                           ///< of the shuffling
};

/// The attribute of the root group of data files.
inline constexpr const char* kRecipeAttribute = "csv_import";

std::string recipe_json(const CsvRecipe& recipe);
/// An Error that names `origin` if the text is none.
CsvRecipe parse_recipe(const std::string& json, const std::string& origin);

void write_recipe(Hdf5File& file, const CsvRecipe& recipe);
/// An Error if the file has none, or one that is damaged.
CsvRecipe read_recipe(const Hdf5File& file);

/// An Error (kUsage) if a column of words is numbered otherwise in the table of `own` than in that of `other` (both DataNames::reading):
/// then one number would mean two words.
void expect_same_words(const std::string& own, const std::string& own_origin, const std::string& other, const std::string& other_origin);

}  // namespace lockstep
