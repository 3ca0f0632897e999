#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/data/data_file.h"
#include "io/data/row_store.h"
#include "io/hdf5/dataset.h"

namespace lockstep {

/// What an Hdf5Dataset knows about its files.
struct Hdf5Dataset::Arrays {
  std::string pattern, group;  ///< as the user gave it; "/train"
  std::vector<std::string> files;
  RowArrays arrays;
  Shape sample_shape;
  DataNames names;
  std::vector<std::string> notes;  ///< what was arranged
};

/// Looks into every file that the pattern matches and checks that the arrays fit together.
std::shared_ptr<const Hdf5Dataset::Arrays> describe_arrays(const std::string& pattern, const std::string& group,
                                                           const Hdf5Options& options);

/// An Error if some of these rows were never written in one of the three arrays (written.h), or if the first cannot be read through its
/// filters.
void expect_readable(const RowArrays& arrays, RowRange rows);

}  // namespace lockstep
