#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cluster/json.h"

namespace lockstep {

/// Classes beyond which a matrix of all pairs is not made.
constexpr std::int64_t kMostClasses = 1000;

/// How well a class is told from the others.
struct ClassScore {
  double precision = 0;  ///< share of its rows among those that are taken for it; 0 if there are none
  double recall = 0;     ///< share of its rows that are taken for it; 0 if it has none
  double f1 = 0;
  std::int64_t support = 0;  ///< its rows
};

/// Of each class, from Scores::confusion.
std::vector<ClassScore> class_scores(std::span<const std::int64_t> confusion);

/// A table of the classes and the matrix, or for many classes the worst of them and the pairs that are taken for each other most often.
/// Classes without a name go by their number.
std::string class_report(std::span<const std::int64_t> confusion, const std::vector<std::string>& names);

/// The same as a list of objects.
Json classes_json(std::span<const std::int64_t> confusion, const std::vector<std::string>& names);
/// The matrix as a list of lists, a list for each class of the truth.
Json confusion_json(std::span<const std::int64_t> confusion);

}  // namespace lockstep
