#include "core/math/utf8.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

/// Bytes of the sequence that starts here, or 0 if it is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto within = [&](std::size_t i, unsigned least, unsigned most) { return byte(i) >= least && byte(i) <= most; };
  const auto follows = [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      if (!within(i, 0x80, 0xbf)) return false;
    }
    return true;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (within(0, 0xc2, 0xdf)) return follows(1, 2) ? 2 : 0;
  if (within(0, 0xe0, 0xef)) return within(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2, 3) ? 3 : 0;
  if (within(0, 0xf0, 0xf4)) return within(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2, 4) ? 4 : 0;
  return 0;
}

}  // namespace

std::optional<std::size_t> not_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return {};
}

std::string byte_text(std::string_view text, std::size_t at) { return fmt::format("byte {:#04x}", static_cast<unsigned char>(text[at])); }

}  // namespace lockstep
