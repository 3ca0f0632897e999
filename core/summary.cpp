#include "core/summary.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lockstep {
namespace {

constexpr int kWidest = 88;
using Line = std::vector<std::string>;  // the lines of one cell

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string repeat(const std::string& text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"B", "KB", "MB", "GB", "TB", "PB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %s", size, kUnits[unit]);
  return text.data();
}

/// Words onto lines of at most `width` characters; a longer word is cut with an ellipsis.
Line wrap(const std::string& text, std::size_t width) {
  Line lines;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    at = end + 1;
    if (width_of(word) > width) word = word.substr(0, width - 1) + "…";
    if (!lines.empty() && width_of(lines.back()) + 1 + width_of(word) <= width) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines.empty() ? Line{""} : lines;
}

class Table {
 public:
  explicit Table(int columns) {
    const int length = std::max(20, std::min(kWidest, columns - 4));
    const int first = length * 45 / 100, second = length * 80 / 100;
    widths_ = {static_cast<std::size_t>(first - 3), static_cast<std::size_t>(second - first - 4), static_cast<std::size_t>(length - second - 3)};
  }

  std::string rule(const char* left, const char* line, const char* middle, const char* right) const {
    std::string text = left;
    for (std::size_t c = 0; c < 3; ++c) text += repeat(line, widths_[c] + 2) + (c < 2 ? middle : right);
    return text + "\n";
  }

  std::string row(const std::array<std::string, 3>& cells, const char* bar) const {
    std::array<Line, 3> lines;
    std::size_t height = 1;
    for (std::size_t c = 0; c < 3; ++c) {
      lines[c] = wrap(cells[c], widths_[c]);
      height = std::max(height, lines[c].size());
    }
    std::string text;
    for (std::size_t i = 0; i < height; ++i) {
      text += bar;
      for (std::size_t c = 0; c < 3; ++c) {
        const std::string cell = i < lines[c].size() ? lines[c][i] : "";
        const std::string pad(widths_[c] - width_of(cell), ' ');
        text += " " + (c == 2 ? pad + cell : cell + pad) + " " + bar;
      }
      text += "\n";
    }
    return text;
  }

 private:
  std::array<std::size_t, 3> widths_{};
};

std::string total(const char* what, std::int64_t count, std::int64_t bytes) {
  return std::string(" ") + what + " params: " + grouped(count) + " (" + bytes_text(bytes) + ")\n";
}

}  // namespace

std::string summary_table(const SummaryModel& model, int columns) {
  const Table table(columns);
  std::string text = "Model: \"" + model.name + "\"\n" + table.rule("┏", "━", "┳", "┓") +
                     table.row({"Layer (type)", "Output Shape", "Param #"}, "┃") + table.rule("┡", "━", "╇", "┩");
  for (std::size_t i = 0; i < model.rows.size(); ++i) {
    const SummaryRow& row = model.rows[i];
    if (i > 0) text += table.rule("├", "─", "┼", "┤");
    text += table.row({row.name + " (" + row.class_name + ")", row.shape, row.parameters < 0 ? "0 (unbuilt)" : grouped(row.parameters)}, "│");
  }
  text += table.rule("└", "─", "┴", "┘");
  const std::int64_t weights = model.trainable + model.non_trainable;
  text += total("Total", weights + model.optimizer, weights * 4 + model.optimizer_bytes) + total("Trainable", model.trainable, model.trainable * 4) +
          total("Non-trainable", model.non_trainable, model.non_trainable * 4);
  if (model.optimizer > 0) text += total("Optimizer", model.optimizer, model.optimizer_bytes);
  return text;
}

}  // namespace lockstep
