#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// The `count` variable-length strings of an open attribute; `place` is for messages.
std::vector<std::string> hdf5_heap_strings(std::int64_t file, std::int64_t attribute, std::size_t count, const std::string& place);

}  // namespace lockstep
