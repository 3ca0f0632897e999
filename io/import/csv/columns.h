#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/import/csv/dialect.h"

namespace lockstep {

/// The distinct words of a column, numbered as they come.
class WordIndex {
 public:
  std::int64_t number(std::string_view word);  ///< a new word gets the next number
  std::optional<std::int64_t> find(std::string_view word) const;
  const std::vector<std::string>& words() const { return words_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> numbers_;
  std::vector<std::string> words_;
};

/// The number of a word as a class or category; nothing where another word may have the same number: 007 and 7, or beyond 2^53.
std::optional<double> word_number(std::string_view word, const CsvDialect& dialect);

/// The order of words as classes or categories: sorted, as numbers if all are word_number()s, which then count as one where they are
/// equal. A new index for each old one.
struct WordOrder {
  std::vector<std::string> words;
  std::vector<std::int64_t> index;  ///< of word i of the WordIndex
};
WordOrder sorted_words(const std::vector<std::string>& words, const CsvDialect& dialect = {});

/// Where a value stands, for messages.
struct CsvPlace {
  std::int64_t line = 0;
  std::size_t file = 0;
};

/// What was found in a column.
struct CsvColumn {
  enum class Use { feature, target, dropped, index };

  std::string name;
  Use use = Use::feature;
  bool categories = false, one_hot = false;                     ///< words are what it should hold
  std::int64_t numbers = 0, bools = 0, missing = 0, texts = 0;  ///< values of each kind; texts: words where numbers belong
  bool whole = true;                                            ///< all numbers are
  double least = 0, greatest = 0;
  std::string example;     ///< the first value that is there
  std::string first_text;  ///< and where it stands
  CsvPlace text_place, missing_place;
  std::string first_missing;
  std::int64_t decimal_commas = 0;  ///< numbers whose comma can only begin decimals
  std::string first_unsure;         ///< the first that reads as thousands as well: 1,234
  CsvPlace unsure_place;
  std::unique_ptr<WordIndex> words;  ///< of categories
  std::vector<double> large;         ///< the first values that float32 may not tell apart

  std::int64_t values() const { return numbers + bools + texts; }
};

/// How fields of all columns become numbers.
struct CsvValues {
  CsvDialect dialect;
  std::vector<std::string> na;     ///< further texts of missing values
  std::vector<double> na_numbers;  ///< and those of them that are numbers
  bool missing_text(std::string_view trimmed) const;
};

/// A field as a float; NaN if it is missing or no number, which the column counts; infinite if it is beyond float32.
float add_number(CsvColumn& column, std::string_view field, CsvPlace place, const CsvValues& values);
/// A field as the number of its word; -1 if it is missing: empty or one of `na`. NA, None, ... are words here.
std::int64_t add_word(CsvColumn& column, std::string_view field, CsvPlace place, const CsvValues& values);

/// Distinct numbers among the column's large ones, and how many of them become equal to others as float32.
struct LargeNumbers {
  std::int64_t distinct = 0, lost = 0;
};
LargeNumbers large_numbers(const CsvColumn& column);

}  // namespace lockstep
