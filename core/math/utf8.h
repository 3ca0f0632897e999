#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// Where the text stops being UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF): index of the first byte of the
/// wrong sequence; nothing if all is well. JSON, protobuf and HDF5 names are UTF-8.
std::optional<std::size_t> not_utf8(std::string_view text);

/// "byte 0xff" of that place.
std::string byte_text(std::string_view text, std::size_t at);

}  // namespace lockstep
