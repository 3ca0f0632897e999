#pragma once
#include <string>
#include <string_view>

#include "cluster/error.h"

namespace lockstep {

/// For the .cpp files that look Keras' names up: the error for a name that is not in the table of (name, value) pairs.
template <class Table>
Error unknown_name(std::string_view what, std::string_view name, const Table& known) {
  std::string text = "unknown " + std::string(what) + " '" + std::string(name) + "'; there are: ";
  bool first = true;
  for (const auto& entry : known) {
    text += (first ? "" : ", ") + std::string(entry.first);
    first = false;
  }
  return Error(text, kUsage);
}

/// Keras' snake case of a class name: "BatchNormalization" -> "batch_normalization", "Conv2D" -> "conv2d", "ReLU" -> "re_lu".
/// Source: keras/src/utils/naming.py.
std::string snake_case(std::string_view class_name);

}  // namespace lockstep
