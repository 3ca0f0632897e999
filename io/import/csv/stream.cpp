#include "io/import/csv/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_set>

#include "cluster/error.h"
#include "io/data/arrangement.h"
#include "io/data/name_list.h"
#include "io/import/csv/records.h"

namespace lockstep {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{4} << 20, kHeadersInBlock = 32;  // a wide table's header is read once a block
constexpr std::size_t kSampleBytes = std::size_t{1} << 20;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_utf16(std::string_view bytes) { return bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"); }

CsvRecipe recipe_of(const DataNames& model) {
  if (!model.reading.empty()) return parse_recipe(model.reading, model.origin);
  CsvRecipe recipe;
  recipe.columns = model.feature_names;
  recipe.targets = model.target_names;
  return recipe;
}

}  // namespace

CsvStream::CsvStream(const std::string& path, const DataNames& model, std::vector<std::string> ids)
    : path_(path),
      bytes_(path),
      recipe_(recipe_of(model)),
      source_(model.origin.empty() ? "the model" : model.origin),
      model_names_(model.feature_names),
      ids_(std::move(ids)) {}

/// Reads on until the buffer has so many bytes, or to the end.
void CsvStream::fill(std::size_t bytes) {
  if (ended_ || buffer_.size() >= bytes) return;
  const std::size_t wanted = bytes - buffer_.size();
  ended_ = bytes_.read(buffer_, wanted) < wanted;
}

/// The first record as names; of `bytes` bytes.
std::vector<std::string> CsvStream::header_of(char separator, std::size_t* bytes) const {
  CsvReader reader(buffer_, path_, separator);
  std::vector<std::string_view> fields;
  reader.next(fields);
  if (bytes != nullptr) *bytes = reader.position() + (buffer_.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  std::vector<std::string> header;
  for (const std::string_view field : fields) header.emplace_back(csv_trimmed(to_utf8(std::string(field), recipe_.encoding, path_)));
  return header;
}

/// Whether a first record has the columns of the recipe.
bool CsvStream::fits(const std::vector<std::string>& header) const {
  if (!recipe_.header) return header.size() >= recipe_.columns.size();
  const std::unordered_set<std::string> names(header.begin(), header.end());
  return std::all_of(recipe_.columns.begin(), recipe_.columns.end(), [&](const std::string& column) { return names.contains(column); });
}

/// A comma that may separate thousands is not taken for a decimal sign unless another number shows that it is one.
void CsvStream::expect_decimal_comma(char separator) const {
  CsvReader reader(buffer_, path_, separator);
  std::string unsure;
  for (std::vector<std::string_view> fields; reader.position() < kSampleBytes && reader.next(fields);) {
    for (const std::string_view field : fields) {
      if (field.find(',') == std::string_view::npos || !csv_number(field, ',')) continue;
      if (!csv_grouped(field, ',')) return;
      unsure = field;
    }
  }
  if (unsure.empty()) return;
  throw Error(
      fmt::format("{0}: the comma in '{1}' may begin decimals or separate thousands; lockstep data import csv {0} --like FILE says which, "
                  "with --decimal , or --thousands ,",
                  path_, unsure),
      kUsage);
}

/// That of the recipe, if the file has the recipe's columns by it; else what is recognised.
void CsvStream::choose_dialect() {
  const auto header_by = [&](char separator) {
    try {
      return header_of(separator);
    } catch (const Error&) {
      return std::vector<std::string>{};
    }
  };
  const CsvDialect before = recipe_.dialect;
  const bool known = !recipe_.columns.empty() && fits(header_by(before.separator));
  CsvDialect found = known ? recognise_dialect(buffer_, before.separator, {}, before.thousands) : recognise_dialect(buffer_, {}, {});
  if (known && found.decimal == '.') found.decimal = before.decimal;  // whole numbers have no sign
  if (!known && !recipe_.columns.empty() && !fits(header_by(found.separator))) return;
  if (found.decimal == ',' && before.decimal != ',') expect_decimal_comma(found.separator);
  recipe_.dialect = found;
  if (found.separator != before.separator || found.decimal != before.decimal)
    notes_.push_back(
        fmt::format("{}: read with separator '{}' and decimal sign '{}'", path_, separator_name(found.separator), found.decimal));
}

void CsvStream::take_columns(const std::vector<std::string>& header) {
  for (const std::string& target : recipe_.targets) {
    if (contains(header, target)) notes_.push_back(fmt::format("{}: column '{}' is the target; it is left out", path_, target));
  }
  if (!recipe_.columns.empty()) return;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool index = i == 0 && (header[i].empty() || header[i] == "Unnamed: 0");
    if (!index && !contains(ids_, header[i])) recipe_.columns.push_back(header[i]);
  }
  notes_.push_back(fmt::format("{}: the model does not name its features; they are taken in the order of the file: {}", path_,
                               name_list(recipe_.columns)));
}

void CsvStream::begin() {
  begun_ = true;
  fill(kBlockBytes);
  if (is_utf16(buffer_)) {
    while (!ended_) fill(buffer_.size() + kBlockBytes);
    buffer_ = to_utf8(std::move(buffer_), recipe_.encoding, path_);
    recipe_.encoding = TextEncoding::utf8;
  }
  while (!ended_ && buffer_.find('\n') == std::string::npos) fill(2 * buffer_.size());
  if (buffer_.find_first_not_of("\r\n \t") == std::string::npos) throw Error(path_ + ": empty; expected a header line and rows");
  choose_dialect();
  if (!recipe_.header) return;
  std::size_t bytes = 0;
  take_columns(header_of(recipe_.dialect.separator, &bytes));
  header_ = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
}

/// The header and the next whole records; empty at the end.
std::string CsvStream::next_text() {
  std::size_t end = 0;
  for (std::size_t bytes = std::max(kBlockBytes, kHeadersInBlock * header_.size()); end == 0; bytes *= 2) {
    fill(bytes);
    if (ended_ && any_ && buffer_.find_first_not_of(recipe_.dialect.separator == ' ' ? "\r\n \t" : "\r\n") == std::string::npos) return "";
    end = ended_ ? buffer_.size() : whole_records(buffer_, recipe_.dialect.separator);
    if (ended_) break;
  }
  std::string text = header_ + buffer_.substr(0, end);
  buffer_.erase(0, end);
  return text;
}

std::optional<CsvStream::Rows> CsvStream::next() {
  if (!begun_) begin();
  const std::string text = next_text();
  if (text.empty()) return {};
  CsvFiles files(recipe_, source_, {.features_only = true, .ids = ids_});
  files.add(text, path_, lines_);
  lines_ += std::count(text.begin() + static_cast<std::ptrdiff_t>(header_.size()), text.end(), '\n');
  if (const std::vector<std::string> told = files.notes(); !any_) notes_.insert(notes_.end(), told.begin(), told.end());
  CsvImport read = files.finish();
  Table& table = read.table;
  width_ = static_cast<std::int64_t>(table.feature_names.size());
  if (!any_ && model_names_.size() == table.feature_names.size())
    columns_ = arrange_columns(table.feature_names, path_, model_names_, source_, "features");
  any_ = true;
  Arrangement{.columns = columns_}.apply(ElementType::f32, table.rows, reinterpret_cast<std::byte*>(table.x.data()));
  return Rows{std::move(table.x), std::move(read.ids), table.rows};
}

}  // namespace lockstep
