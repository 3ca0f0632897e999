#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/file.h"

// Data sets that grow: for rows whose number is not known, or of which only some are in memory.
namespace lockstep {

/// Puts rows behind those that are there. The first call makes the data set, chunked. `row`: the shape of one. T is std::int64_t or float.
template <class T>
void append_rows(Hdf5File& file, const std::string& dataset, const std::vector<std::int64_t>& row, std::span<const T> values);
/// The same for texts, one a row, as variable-length UTF-8.
void append_texts(Hdf5File& file, const std::string& dataset, std::span<const std::string> texts);

}  // namespace lockstep
