#include "io/import/csv/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "cluster/error.h"
#include "core/math/utf8.h"

namespace lockstep {
namespace {

/// Windows-1252 from 0x80 on; 0: a byte that it leaves open.
constexpr std::array<std::uint16_t, 32> kWindows1252{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                                     0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                                     0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

std::string from_latin1(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 16);
  for (const char c : bytes) {
    const std::uint32_t byte = static_cast<unsigned char>(c);
    const std::uint32_t windows = byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : 0;
    append_utf8(out, windows != 0 ? windows : byte);
  }
  return out;
}

std::string from_utf16(std::string_view bytes, bool big_endian, const std::string& name) {
  const auto unit = [&](std::size_t at) -> std::uint32_t {
    const std::uint32_t first = static_cast<unsigned char>(bytes[at]), second = static_cast<unsigned char>(bytes[at + 1]);
    return big_endian ? first << 8 | second : second << 8 | first;
  };
  if (bytes.size() % 2 != 0) throw Error(name + ": cut short: UTF-16 takes two bytes a character, found an odd number of bytes");
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 2; at < bytes.size(); at += 2) {
    std::uint32_t code = unit(at);
    if (code >= 0xD800 && code < 0xE000) {
      const std::uint32_t low = code < 0xDC00 && at + 2 < bytes.size() ? unit(at + 2) : 0;
      if (low < 0xDC00 || low >= 0xE000) throw Error(fmt::format("{}: byte {}: half of a UTF-16 pair stands alone", name, at));
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at += 2;
    }
    append_utf8(out, code);
  }
  return out;
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto tail = [&](int shift) { put(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0U | (code >> 6)), tail(0);
  if (code < 0x10000) return put(0xE0U | (code >> 12)), tail(6), tail(0);
  put(0xF0U | (code >> 18)), tail(12), tail(6), tail(0);
}

TextEncoding parse_encoding(const std::string& name) {
  if (name == "utf-8") return TextEncoding::utf8;
  if (name == "latin-1") return TextEncoding::latin1;
  throw Error(fmt::format("encoding '{}': expected utf-8 or latin-1", name), kUsage);
}

std::string_view encoding_name(TextEncoding encoding) { return encoding == TextEncoding::utf8 ? "utf-8" : "latin-1"; }

std::string to_utf8(std::string bytes, TextEncoding encoding, const std::string& name, std::int64_t lines_before) {
  if (bytes.starts_with("\xFF\xFE")) return from_utf16(bytes, false, name);
  if (bytes.starts_with("\xFE\xFF")) return from_utf16(bytes, true, name);
  if (encoding == TextEncoding::latin1) return from_latin1(bytes);
  const auto bad = not_utf8(bytes);
  if (!bad) return bytes;
  throw Error(fmt::format("{}, line {}: byte {:#04x} is not UTF-8; --encoding latin-1 reads files of Windows and of older programs", name,
                          1 + lines_before + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*bad), '\n'),
                          static_cast<unsigned char>(bytes[*bad])));
}

}  // namespace lockstep
