#pragma once
#include <string>
#include <vector>

namespace lockstep {

/// What classes and columns of data are called. Files that are used together are compared by these names, not by position. A model that was
/// trained keeps the names of its training data.
struct DataNames {
  std::vector<std::string> class_names = {};    ///< of class 0, 1, ...; empty: unknown, as below
  std::vector<std::string> feature_names = {};  ///< of each column of the features
  std::vector<std::string> target_names = {};   ///< of each column of the truth, where it holds numbers
  std::string description = {};                 ///< of the data, for people; not kept with a model
  std::string origin = {};                      ///< the file that says so, for messages; not kept with a model
  std::string reading = {};  ///< how a table of text became these columns, JSON of io/import/csv/recipe.h; empty: unknown

  /// Whether nothing is named.
  bool empty() const { return class_names.empty() && feature_names.empty() && target_names.empty() && reading.empty(); }
};

}  // namespace lockstep
