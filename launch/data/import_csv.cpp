// lockstep data import csv: tables of text as data files.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/files/file_bytes.h"
#include "io/files/file_kind.h"
#include "io/import/csv/csv.h"
#include "launch/command_line.h"
#include "launch/data/cells.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

constexpr std::size_t kMostColumns = 60;  // of a table on a terminal

struct Options {
  std::vector<std::string> files;  // FILE ... OUT
  std::string separator, decimal, thousands, encoding, like;
  CsvOptions csv;
  std::uint64_t seed = 42;
  bool no_header = false, explain = false, force = false;
};

std::string type_of(const CsvColumn& column) {
  if (column.use == CsvColumn::Use::dropped || column.use == CsvColumn::Use::index) return "-";
  if (column.categories) return column.use == CsvColumn::Use::target ? "class" : column.one_hot ? "words, one-hot" : "words, ordinal";
  if (column.texts > 0) return column.texts > column.numbers ? "words" : "numbers and words";
  if (column.bools > 0) return "bool";
  return column.whole ? "whole number" : "number";
}

std::string range_of(const CsvColumn& column) {
  if (column.categories) return fmt::format("{} different", column.words ? column.words->words().size() : 0);
  return column.numbers + column.bools == 0 ? "-" : fmt::format("{:g} to {:g}", column.least, column.greatest);
}

std::string use_of(CsvColumn::Use use) {
  switch (use) {
    case CsvColumn::Use::feature: return "feature";
    case CsvColumn::Use::target: return "target";
    case CsvColumn::Use::dropped: return "left out";
    case CsvColumn::Use::index: break;
  }
  return "index, left out";
}

/// What was recognised, column by column; the middle of a wide table only where all of it was asked for.
void explain(const CsvFiles& files, bool all) {
  fmt::print("read with separator '{}', decimal sign '{}'; {} rows\n", separator_name(files.dialect().separator), files.dialect().decimal,
             files.rows());
  std::vector<std::vector<std::string>> cells{{"COLUMN", "USE", "TYPE", "RANGE", "MISSING", "EXAMPLE"}};
  const std::vector<CsvColumn>& columns = files.columns();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!all && columns.size() > kMostColumns && i == kMostColumns / 2) {
      const std::size_t hidden = columns.size() - kMostColumns;
      cells.push_back({fmt::format("({} more; --explain shows all)", hidden)});
      i += hidden;
    }
    const CsvColumn& column = columns[i];
    const bool used = column.use == CsvColumn::Use::feature || column.use == CsvColumn::Use::target;
    cells.push_back({column.name.empty() ? "(no name)" : column.name, use_of(column.use), type_of(column), range_of(column),
                     used ? std::to_string(column.missing) : "-", column.example});
  }
  print_cells(cells, false);
}

CsvFiles start(Options& options) {
  CsvOptions& csv = options.csv;
  if (!options.separator.empty()) csv.separator = parse_separator(options.separator);
  if (!options.decimal.empty()) csv.decimal = parse_decimal(options.decimal);
  if (!options.thousands.empty()) csv.thousands = parse_thousands(options.thousands);
  if (!options.encoding.empty()) csv.encoding = parse_encoding(options.encoding);
  csv.header = !options.no_header;
  csv.seed = options.seed;
  if (options.like.empty()) {
    if (csv.targets.empty()) throw Error("--target is required: the column to predict (or --like FILE, to read as FILE was read)", kUsage);
    return CsvFiles(csv);
  }
  if (!csv.targets.empty() || csv.classes || !csv.one_hot.empty() || !csv.ordinal.empty() || !csv.impute.empty() || !csv.na.empty()) {
    throw Error("--like FILE says what --target, --classes, --one-hot, --ordinal, --na and --impute would say; leave these out", kUsage);
  }
  return {read_recipe(Hdf5File::open(options.like)), options.like, csv};
}

void warn_of_lost_values(const CsvFiles& files) {
  for (const CsvColumn& column : files.columns()) {
    const LargeNumbers numbers = large_numbers(column);
    if (numbers.lost == 0) continue;
    fmt::print(stderr,
               "warning: column '{}': {} of {} different values above {} become equal to others as float32 ({} to {}); subtract a fixed "
               "value, or drop the column if it is an id or a time stamp\n",
               column.name, numbers.lost, numbers.distinct, 1 << 20, column.least, column.greatest);
  }
}

/// Files of other formats by their first bytes.
void expect_table(const std::string& path) {
  const std::string advice = file_kind_advice(path);
  if (advice.starts_with("it is")) throw Error(path + ": expected a table of text, but " + advice);
}

void import(Options& options) {
  if (options.files.size() < 2) throw Error("expected FILE [FILE ...] OUT.h5: the files to read, then the file to write", kUsage);
  const std::string out = options.files.back();
  CsvFiles files = start(options);
  DataFileWriter writer(out, options.force);
  for (std::size_t i = 0; i + 1 < options.files.size(); ++i) expect_table(options.files[i]);
  for (std::size_t i = 0; i + 1 < options.files.size(); ++i) files.add(read_file_maybe_gzip(options.files[i]), options.files[i]);
  for (const std::string& note : files.notes()) fmt::print("{}\n", note);
  if (options.explain || isatty(STDOUT_FILENO) != 0) explain(files, options.explain);
  warn_of_lost_values(files);
  const CsvImport result = files.finish();
  for (const std::string& note : result.notes) fmt::print("{}\n", note);
  write_table(writer.file(), result.table, result.splits, result.seed);
  write_recipe(writer.file(), result.recipe);
  writer.commit();
  report_data_file(out);
}

void add_columns_options(Command& command, Options& options) {
  CsvOptions& csv = options.csv;
  command.option("--target", csv.targets, "Column to predict; may be given several times. Words become class indices and class_names")
      .one_word();
  command.option("--drop", csv.drop, "Columns to leave out, comma-separated; every other column is a feature").delimiter(',').one_word();
  command.flag("--classes", csv.classes, "The target is a class even though it is a number");
  command.option("--one-hot", csv.one_hot, "Columns of words, comma-separated: each becomes a column of 0 and 1 for each word")
      .delimiter(',')
      .one_word();
  command.option("--ordinal", csv.ordinal, "Columns of words, comma-separated: each word becomes its number, in sorted order")
      .delimiter(',')
      .one_word();
  command.option("--na", csv.na, "A further text of missing values; may be given several times").one_word();
  command
      .option("--impute", csv.impute,
              "Fill missing numbers with this value of the column's training rows, missing words with the most frequent one")
      .one_of({"mean", "median", "most-frequent"});
}

void add_text_options(Command& command, Options& options) {
  command.option("--separator", options.separator, "One character, tab or space (default: recognised among , ; tab | space)");
  command.option("--decimal", options.decimal, "Decimal sign, . or , (default: recognised)").one_of({".", ","});
  command.option("--thousands", options.thousands, "Mark between groups of three digits: , . ' _ or space (default: none)").one_word();
  command.flag("--no-header", options.no_header, "The first line is a row; columns are called c1, c2, ...");
  command.option("--encoding", options.encoding, "Of the text (default: utf-8)").one_of({"utf-8", "latin-1"});
}

}  // namespace

void add_import_csv(Command& import_command) {
  auto options = std::make_shared<Options>();
  Command command = import_command.add_command("csv", "Tables of text with the same columns, gzipped or not");
  command.option("FILES", options->files, "FILE [FILE ...] OUT.h5: tables, then the HDF5 file to write").required();
  add_columns_options(command, *options);
  add_text_options(command, *options);
  command.option("--split", options->csv.split,
                 "Shuffle the rows and deal them out, for example train=0.6,valid=0.2,test=0.2 (default: all to train, in order)");
  command.option("--seed", options->seed, "Of the shuffling").show_default().at_least(0);
  command.option("--like", options->like,
                 "Read as this data file was read: same columns, classes, encodings, fillings and split; the target may be missing");
  command.flag("--explain", options->explain, "Show every column as it was recognised (a terminal shows it anyway)");
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Columns of words and missing values (empty, NA, N/A, NaN, null, None, ?) need one of the options above. In a class or a column of "
      "words, only an empty field is missing. True and False are 1 and 0. A first column without a name that numbers the rows is left "
      "out.\n\n"
      "Examples:\n  lockstep data import csv houses.csv --target price --split train=0.8,test=0.2 data/houses.h5\n"
      "  lockstep data import csv day1.csv day2.csv.gz --target kind data/days.h5\n"
      "  lockstep data import csv housing.csv --target value --one-hot proximity --impute median data/train.h5\n"
      "  lockstep data import csv new.csv --like data/train.h5 data/new.h5");
  command.callback([options] { import(*options); });
}

}  // namespace lockstep
