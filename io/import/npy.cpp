#include "io/import/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "cluster/error.h"
#include "core/math/utf8.h"
#include "io/data/row_convert.h"
#include "io/import/csv/encoding.h"

namespace lockstep {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostAxes = 32;

/// What the header says: {'descr': '<f4', 'fortran_order': False, 'shape': (10, 28), }
struct Header {
  std::string descr;
  std::optional<bool> fortran;
  std::optional<std::vector<std::int64_t>> shape;
};

/// Reads the header's literal of Python, as far as NumPy writes it.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header read() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        if (accept('[')) throw Error(name_ + ": a structured type (several fields an element); save each field as an array of its own");
        header.descr = string();
      } else if (key == "fortran_order") {
        header.fortran = boolean();
      } else if (key == "shape") {
        header.shape = tuple();
      } else {
        fail("unknown key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(name_ + ": not an npy file: its header is damaged: " + what); }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}' at byte {}", c, at_));
  }
  std::string string() {
    skip();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) fail(fmt::format("expected a string at byte {}", at_));
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    fail("fortran_order is neither True nor False");
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> axes;
    expect('(');
    while (!accept(')')) {
      skip();
      std::int64_t axis = -1;
      const auto parsed = std::from_chars(text_.data() + at_, text_.data() + text_.size(), axis);
      if (parsed.ec != std::errc{} || axis < 0 || axes.size() == kMostAxes) fail("shape is no tuple of whole numbers");
      at_ = static_cast<std::size_t>(parsed.ptr - text_.data());
      accept('L');  // of Python 2
      axes.push_back(axis);
      if (accept(',')) continue;
      expect(')');
      break;
    }
    return axes;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

/// An element's type, as descr names it: byte order, kind, size.
struct Descr {
  char kind;
  std::int64_t size;  // bytes, or characters of U
  bool big_endian;
  ElementType type;
};

Descr parse_descr(const std::string& text, const std::string& name) {
  Descr descr{' ', 0, text.starts_with('>'), ElementType::other};
  const std::size_t at = !text.empty() && std::string_view("<>|=").find(text[0]) != std::string_view::npos ? 1 : 0;
  if (at < text.size()) descr.kind = text[at];
  if (descr.kind == 'O') {
    throw Error(name + ": Python objects (dtype object), which are a program, not data; save numbers or strings: np.asarray(x, dtype=...)");
  }
  const auto parsed = at + 1 < text.size() ? std::from_chars(text.data() + at + 1, text.data() + text.size(), descr.size)
                                           : std::from_chars_result{nullptr, std::errc::invalid_argument};
  const bool sized = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && descr.size > 0;
  const auto has = [&](char kind, std::int64_t size) { return descr.kind == kind && descr.size == size; };
  for (const ElementType type : {ElementType::u8, ElementType::u16, ElementType::u32, ElementType::u64}) {
    if (has('u', type_bytes(type))) descr.type = type;
  }
  for (const ElementType type : {ElementType::i8, ElementType::i16, ElementType::i32, ElementType::i64}) {
    if (has('i', type_bytes(type))) descr.type = type;
  }
  for (const ElementType type : {ElementType::f16, ElementType::f32, ElementType::f64}) {
    if (has('f', type_bytes(type))) descr.type = type;
  }
  if (has('b', 1)) descr.type = ElementType::u8;
  const bool texts = descr.kind == 'S' || descr.kind == 'U';
  if (!sized || (descr.type == ElementType::other && !texts)) {
    throw Error(
        fmt::format("{}: elements of type '{}'; expected integers, floats (float16, float32, float64), bool or strings: convert it with "
                    "astype",
                    name, text));
  }
  return descr;
}

std::string text_of(const std::byte* bytes, const Descr& descr, const std::string& name) {
  std::string text;
  for (std::int64_t i = 0; i < descr.size; ++i) {
    std::uint32_t code = 0;
    if (descr.kind == 'S')
      code = static_cast<unsigned char>(bytes[i]);
    else
      std::memcpy(&code, bytes + 4 * i, 4);
    if (code == 0) break;  // padding
    if (code > 0x10FFFF) throw Error(name + ": damaged: a string holds a character that Unicode does not have");
    if (descr.kind == 'S')
      text += static_cast<char>(code);
    else
      append_utf8(text, code);
  }
  if (not_utf8(text)) throw Error(name + ": a string is not UTF-8; save strings as str (astype('U'))");
  return text;
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

}  // namespace

NpyArray parse_npy(std::string_view file, const std::string& name) {
  if (!file.starts_with(kMagic) || file.size() < 10) throw Error(name + ": not an npy file: it does not begin with \\x93NUMPY");
  const int version = static_cast<unsigned char>(file[6]);
  if (version < 1 || version > 3) throw Error(fmt::format("{}: npy format {}, expected 1, 2 or 3", name, version));
  const std::size_t start = version == 1 ? 10 : 12;
  std::size_t length = 0;
  for (std::size_t i = std::min(start, file.size()); i-- > 8;) length = length << 8U | static_cast<unsigned char>(file[i]);
  if (file.size() < start || length > file.size() - start) throw Error(name + ": cut short: its header ends too early");
  const Header header = HeaderReader(file.substr(start, length), name).read();
  if (header.descr.empty() || !header.fortran || !header.shape)
    throw Error(name + ": not an npy file: its header has no descr, fortran_order or shape");
  const Descr descr = parse_descr(header.descr, name);
  const std::int64_t unit = descr.kind == 'U' ? 4 : descr.kind == 'S' ? 1 : descr.size;  // bytes whose order counts
  std::int64_t width = 0, expected = 0;
  bool countable = !__builtin_mul_overflow(descr.size, descr.kind == 'U' ? 4 : 1, &width);
  expected = width;
  for (const std::int64_t axis : *header.shape) countable = countable && !__builtin_mul_overflow(expected, axis, &expected);
  const std::string_view body = file.substr(start + length);
  if (!countable || static_cast<std::int64_t>(body.size()) != expected) {
    throw Error(fmt::format("{}: {}: shape {} of '{}' needs {} bytes after the header, found {}", name,
                            countable && static_cast<std::int64_t>(body.size()) > expected ? "trailing bytes" : "cut short",
                            shape_text(*header.shape), header.descr, countable ? std::to_string(expected) : "countless", body.size()));
  }
  NpyArray array{.type = descr.type, .shape = *header.shape, .bytes = std::vector<std::byte>(body.size()), .texts = {}};
  if (!body.empty()) std::memcpy(array.bytes.data(), body.data(), body.size());
  for (auto at = array.bytes.begin(); descr.big_endian && unit > 1 && at != array.bytes.end(); at += unit) std::reverse(at, at + unit);
  if (*header.fortran && array.shape.size() > 1) {
    std::vector<std::byte> rows(array.bytes.size());
    if (!rows.empty()) from_fortran(array.bytes.data(), array.shape, static_cast<std::size_t>(width), rows.data());
    array.bytes = std::move(rows);
  }
  if (array.type != ElementType::other) return array;
  for (std::size_t at = 0; at < array.bytes.size(); at += static_cast<std::size_t>(width)) {
    array.texts.push_back(text_of(array.bytes.data() + at, descr, name));
  }
  array.bytes.clear();
  return array;
}

}  // namespace lockstep
