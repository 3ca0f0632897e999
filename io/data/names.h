#pragma once
#include <string>
#include <vector>

namespace lockstep {

/// What classes and columns of data are called. Files that are used together are compared by these names, not by position.
struct DataNames {
  std::vector<std::string> class_names;    ///< of class 0, 1, ...; empty: unknown, as below
  std::vector<std::string> feature_names;  ///< of each column of the features
  std::vector<std::string> target_names;   ///< of each column of the truth, where it holds numbers
  std::string description;                 ///< of the data, for people
  std::string origin;                      ///< the file that says so, for messages
};

}  // namespace lockstep
