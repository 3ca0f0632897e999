#include "io/run/class_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep {
namespace {

constexpr std::size_t kMostLines = 30;    // of classes
constexpr std::size_t kMostColumns = 20;  // of the matrix
constexpr std::size_t kMostPairs = 10;
constexpr std::size_t kNameWidth = 24;

std::int64_t classes_of(std::span<const std::int64_t> confusion) { return std::llround(std::sqrt(static_cast<double>(confusion.size()))); }

std::string name_of(const std::vector<std::string>& names, std::int64_t c) {
  return c < static_cast<std::int64_t>(names.size()) ? names[static_cast<std::size_t>(c)] : std::to_string(c);
}

/// The name in at most kNameWidth characters, padded.
std::string column(const std::string& name) {
  std::string text;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(name[i]) & 0xc0U) != 0x80U;  // a character of UTF-8
    if (begins && characters == kNameWidth - 2 && name.size() - i > 2) {
      text += "..";
      characters += 2;
      break;
    }
    characters += begins ? 1 : 0;
    text += name[i];
  }
  return text + std::string(kNameWidth > characters ? kNameWidth - characters : 0, ' ');
}

std::string line(const std::string& name, const ClassScore& score) {
  return fmt::format("  {} {:>9.4f} {:>9.4f} {:>9.4f} {:>9}\n", column(name), score.precision, score.recall, score.f1, score.support);
}

/// Means over the classes, each counting `weight(score)`.
template <class Weight>
ClassScore mean_of(const std::vector<ClassScore>& scores, const Weight& weight) {
  ClassScore mean;
  double weights = 0;
  for (const ClassScore& one : scores) {
    const double own = weight(one);
    mean.precision += own * one.precision;
    mean.recall += own * one.recall;
    mean.f1 += own * one.f1;
    mean.support += one.support;
    weights += own;
  }
  for (double* value : {&mean.precision, &mean.recall, &mean.f1}) *value /= weights > 0 ? weights : 1;
  return mean;
}

std::string table(const std::vector<ClassScore>& scores, const std::vector<std::string>& names) {
  std::string text = fmt::format("\n  {} {:>9} {:>9} {:>9} {:>9}\n", column("class"), "precision", "recall", "f1", "rows");
  std::vector<std::size_t> shown(scores.size());
  std::iota(shown.begin(), shown.end(), 0U);
  const bool all = scores.size() <= kMostLines;
  if (!all) {
    std::stable_sort(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) { return scores[a].f1 < scores[b].f1; });
    shown.resize(kMostLines);
  }
  for (const std::size_t c : shown) text += line(name_of(names, static_cast<std::int64_t>(c)), scores[c]);
  if (!all) text += fmt::format("  the {} of lowest f1 of {} classes; --json has all\n", kMostLines, scores.size());
  text += line("mean of classes", mean_of(scores, [](const ClassScore&) { return 1.0; }));
  return text + line("mean of rows", mean_of(scores, [](const ClassScore& one) { return static_cast<double>(one.support); }));
}

std::string matrix(std::span<const std::int64_t> confusion, const std::vector<std::string>& names) {
  const std::int64_t classes = classes_of(confusion);
  const std::size_t width = std::max<std::size_t>(5, std::to_string(*std::max_element(confusion.begin(), confusion.end())).size());
  std::string text = "\n  rows of each class (a line) by the class that the model takes them for (a column)\n";
  text += fmt::format("  {:>3} {}", "", column(""));
  for (std::int64_t c = 0; c < classes; ++c) text += fmt::format(" {:>{}}", c, width);
  text += "\n";
  for (std::int64_t c = 0; c < classes; ++c) {
    text += fmt::format("  {:>3} {}", c, column(name_of(names, c)));
    for (std::int64_t p = 0; p < classes; ++p) text += fmt::format(" {:>{}}", confusion[static_cast<std::size_t>(c * classes + p)], width);
    text += "\n";
  }
  return text;
}

std::string worst_pairs(std::span<const std::int64_t> confusion, const std::vector<std::string>& names) {
  const std::int64_t classes = classes_of(confusion);
  std::vector<std::int64_t> pairs;
  for (std::int64_t i = 0; i < classes * classes; ++i) {
    if (i / classes != i % classes && confusion[static_cast<std::size_t>(i)] > 0) pairs.push_back(i);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [&](std::int64_t a, std::int64_t b) {
    return confusion[static_cast<std::size_t>(a)] > confusion[static_cast<std::size_t>(b)];
  });
  if (pairs.empty()) return "";
  std::string text = fmt::format("\n  {} {} {:>9}\n", column("class"), column("taken for"), "rows");
  for (std::size_t i = 0; i < std::min(pairs.size(), kMostPairs); ++i) {
    text += fmt::format("  {} {} {:>9}\n", column(name_of(names, pairs[i] / classes)), column(name_of(names, pairs[i] % classes)),
                        confusion[static_cast<std::size_t>(pairs[i])]);
  }
  if (pairs.size() > kMostPairs) text += fmt::format("  {} more pairs; --json has the whole matrix\n", pairs.size() - kMostPairs);
  return text;
}

}  // namespace

std::vector<ClassScore> class_scores(std::span<const std::int64_t> confusion) {
  const std::int64_t classes = classes_of(confusion);
  std::vector<std::int64_t> taken(static_cast<std::size_t>(classes));
  std::vector<ClassScore> scores(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < classes * classes; ++i) {
    scores[static_cast<std::size_t>(i / classes)].support += confusion[static_cast<std::size_t>(i)];
    taken[static_cast<std::size_t>(i % classes)] += confusion[static_cast<std::size_t>(i)];
  }
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
  for (std::size_t c = 0; c < scores.size(); ++c) {
    const auto right = static_cast<double>(confusion[c * scores.size() + c]);
    scores[c].precision = share(right, static_cast<double>(taken[c]));
    scores[c].recall = share(right, static_cast<double>(scores[c].support));
    scores[c].f1 = share(2 * scores[c].precision * scores[c].recall, scores[c].precision + scores[c].recall);
  }
  return scores;
}

std::string class_report(std::span<const std::int64_t> confusion, const std::vector<std::string>& names) {
  const std::vector<ClassScore> scores = class_scores(confusion);
  return table(scores, names) + (scores.size() <= kMostColumns ? matrix(confusion, names) : worst_pairs(confusion, names));
}

Json classes_json(std::span<const std::int64_t> confusion, const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const ClassScore& score : class_scores(confusion)) {
    const auto c = static_cast<std::int64_t>(list.size());
    list.push_back({{"class", c},
                    {"name", name_of(names, c)},
                    {"precision", score.precision},
                    {"recall", score.recall},
                    {"f1", score.f1},
                    {"rows", score.support}});
  }
  return list;
}

Json confusion_json(std::span<const std::int64_t> confusion) {
  const auto classes = static_cast<std::size_t>(classes_of(confusion));
  Json matrix = Json::array();
  for (std::size_t c = 0; c < classes; ++c) {
    Json row = Json::array();
    for (const std::int64_t rows : confusion.subspan(c * classes, classes)) row.push_back(rows);
    matrix.push_back(row);
  }
  return matrix;
}

}  // namespace lockstep
