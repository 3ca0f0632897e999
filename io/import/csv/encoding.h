#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// How bytes of a text file stand for characters. A file in UTF-16 begins with a byte order mark, which names it whatever is asked for.
enum class TextEncoding { utf8, latin1 };

/// "utf-8" or "latin-1"; anything else is a usage error.
TextEncoding parse_encoding(const std::string& name);
std::string_view encoding_name(TextEncoding encoding);

/// The text as UTF-8. latin1 takes bytes 0x80 to 0x9F as Windows-1252 does, where Latin-1 has nothing that is printed. Bytes that are not
/// UTF-8 are an Error with their line, counted from `lines_before` on.
std::string to_utf8(std::string bytes, TextEncoding encoding, const std::string& name, std::int64_t lines_before = 0);

/// Appends a character of Unicode.
void append_utf8(std::string& out, std::uint32_t code);

}  // namespace lockstep
