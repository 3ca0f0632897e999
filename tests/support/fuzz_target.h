#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"

/// libFuzzer's entry: one input for the reader under test, which takes it or refuses it by an Error. Whatever else it throws ends the
/// process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace lockstep::testing {

/// Valid inputs, made by the program's own writers, from which mutations start.
std::vector<std::string> fuzz_seeds();

/// Runs a reader; an Error is one of the two right ends.
inline int fuzz(const std::function<void()>& reader) {
  try {
    reader();
  } catch (const Error&) {
  }
  return 0;
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace lockstep::testing
