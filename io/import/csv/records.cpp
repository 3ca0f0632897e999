#include "io/import/csv/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/error.h"

namespace lockstep {

CsvReader::CsvReader(std::string_view text, std::string name, char separator) : text_(text), name_(std::move(name)), separator_(separator) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // a spreadsheet's byte order mark
  for (const char c : {separator, separator == ' ' ? '\t' : separator, '\n', '\r', '"', '\0'})
    special_[static_cast<unsigned char>(c)] = true;
}

void CsvReader::fail(const std::string& what) const { throw Error(fmt::format("{}, line {}: {}", name_, next_line_, what)); }

bool CsvReader::at_field_end() const {
  return at_ == text_.size() || text_[at_] == separator_ || text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n") ||
         (separator_ == ' ' && text_[at_] == '\t');
}

std::string_view CsvReader::quoted_field() {
  const std::int64_t opened = next_line_;
  std::string* copy = nullptr;  // of a field with quotes inside
  const std::size_t first = at_ + 1;
  for (at_ = first; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++next_line_;
    if (text_[at_] != '"') {
      if (copy != nullptr) *copy += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      if (copy == nullptr) copy = &unquoted_.emplace_back(text_.substr(first, at_ - first));
      *copy += text_[++at_];
    } else {
      const std::string_view field = copy != nullptr ? std::string_view(*copy) : text_.substr(first, at_ - first);
      ++at_;
      if (!at_field_end())
        fail("text after a closing quote (a quote inside a quoted field is written twice; --separator names another one)");
      return field;
    }
  }
  throw Error(fmt::format("{}, line {}: a quoted field is never closed", name_, opened));
}

std::string_view CsvReader::plain_field() {
  const std::size_t first = at_;
  const char other = separator_ == ' ' ? '\t' : separator_;
  bool quote = false, carriage = false, zero = false;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (!special_[static_cast<unsigned char>(c)]) continue;
    if (c == separator_ || c == '\n' || c == other) break;
    quote |= c == '"';
    carriage |= c == '\r';
    zero |= c == '\0';
  }
  std::string_view field = text_.substr(first, at_ - first);
  if (carriage && field.back() == '\r' && (at_ == text_.size() || text_[at_] == '\n')) {
    field.remove_suffix(1);
    carriage = field.find('\r') != std::string_view::npos;
  }
  if (quote) fail("a quote inside a field that is not quoted");
  if (carriage) fail("a lone carriage return; expected LF or CRLF line ends");
  if (zero) fail("a zero byte; this is no text file");
  return field;
}

void CsvReader::skip_blanks() {
  if (separator_ != ' ') return;
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
}

bool CsvReader::next(std::vector<std::string_view>& fields) {
  fields.clear();
  unquoted_.clear();
  const std::string_view blank = separator_ == ' ' ? "\r\n \t" : "\r\n";
  if (text_.find_first_not_of(blank, at_) == std::string_view::npos) return false;  // blank lines at the end are no records
  line_ = next_line_;
  skip_blanks();
  while (true) {
    fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_field() : plain_field());
    skip_blanks();
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    if (at_ >= text_.size()) return true;
    if (text_[at_] == '\n') {
      ++at_;
      ++next_line_;
      return true;
    }
    if (separator_ != ' ') ++at_;
  }
}

namespace {

/// Behind the last line end that no quotes enclose. A quote opens a field only where the field begins.
std::size_t last_line_end(std::string_view text, char separator) {
  if (text.find('"') == std::string_view::npos) return text.rfind('\n') + 1;  // npos + 1 is 0
  std::size_t end = 0;
  bool quoted = false, begins = true;
  for (std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      quoted = c != '"';  // of a doubled quote the second opens once more
      begins = !quoted;
    } else if (c == '"') {
      quoted = begins;
    } else {
      begins = c == separator || c == '\n' || (separator == ' ' && c == '\t');
      if (c == '\n') end = at + 1;
    }
  }
  return end;
}

}  // namespace

std::size_t whole_records(std::string_view text, char separator) {
  const std::string_view blank = separator == ' ' ? "\r\n \t" : "\r\n";
  const std::string_view whole = text.substr(0, last_line_end(text, separator));
  const std::size_t last = whole.find_last_not_of(blank);
  return last == std::string_view::npos ? 0 : whole.find('\n', last) + 1;
}

}  // namespace lockstep
