#pragma once
#include <string>

namespace lockstep {

/// What a file is by its first bytes and its name, and how it becomes a data file: "it is a Parquet file; ...". Empty: unknown.
std::string file_kind_advice(const std::string& path);

}  // namespace lockstep
