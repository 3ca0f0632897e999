#include "core/training/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::size_t kColumns = 3;
using Cells = std::array<std::string, kColumns>;
using Widths = std::array<std::size_t, kColumns>;

// --- UTF-8 text, measured in code points ---

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::size_t length(std::string_view text) { return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point)); }

// The first `count` code points.
std::string_view head(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (starts_code_point(text[at]) && count-- == 0) break;
  }
  return text.substr(0, at);
}

std::string repeat(std::string_view piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}

std::string_view without_end_blanks(std::string_view text) { return text.substr(0, text.find_last_not_of(' ') + 1); }

// Words with the blanks after them; blanks before the first word belong to it.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t word = std::min(text.find_first_not_of(' ', start), text.size());
    const std::size_t blank = std::min(text.find(' ', word), text.size());
    const std::size_t next = std::min(text.find_first_not_of(' ', blank), text.size());
    words.push_back(text.substr(start, next - start));
    start = next;
  }
  return words;
}

// Lines of at most `width`, broken between words. A longer word gets a line of its own: folded over several lines, or left too long.
std::vector<std::string> wrap(std::string_view text, std::size_t width, bool fold) {
  std::vector<std::string> lines(1);
  for (std::string_view word : words_of(text)) {
    const std::size_t needed = length(without_end_blanks(word));
    if (needed + length(lines.back()) > width && !lines.back().empty()) lines.emplace_back();
    while (fold && needed > width && length(word) > width) {
      lines.back() = head(word, width);
      word.remove_prefix(lines.back().size());
      lines.emplace_back();
    }
    lines.back() += word;
  }
  for (std::string& line : lines) {  // blanks may stand over the edge
    while (length(line) > width && line.back() == ' ') line.pop_back();
  }
  return lines;
}

// --- the table ---

// The text of a cell's line: blanks around, a word that is too long cut with an ellipsis.
std::string cell(std::string_view line, std::size_t width, bool right) {
  std::string text(without_end_blanks(line));
  if (length(text) > width) text = fmt::format("{}…", head(text, width - 1));
  const std::string padding(width - length(text), ' ');
  return fmt::format(" {}{} ", right ? padding : text, right ? text : padding);
}

// Lower cells stand at the top of the row, or at its bottom: so the header.
std::string table_row(const Cells& cells, const Widths& widths, std::string_view bar, bool bottom) {
  std::array<std::vector<std::string>, kColumns> lines;
  std::size_t height = 0;
  for (std::size_t c = 0; c < kColumns; ++c) {
    lines[c] = wrap(cells[c], widths[c], false);
    height = std::max(height, lines[c].size());
  }
  for (auto& column : lines) column.insert(bottom ? column.begin() : column.end(), height - column.size(), "");
  std::string text;
  for (std::size_t l = 0; l < height; ++l) {
    for (std::size_t c = 0; c < kColumns; ++c) text.append(bar).append(cell(lines[c][l], widths[c], c == kColumns - 1));
    text.append(bar).append("\n");
  }
  return text;
}

std::string rule(const Widths& widths, std::string_view left, std::string_view line, std::string_view cross, std::string_view right) {
  std::string text(left);
  for (std::size_t c = 0; c < kColumns; ++c) text.append(repeat(line, widths[c] + 2)).append(c + 1 < kColumns ? cross : right);
  return text + "\n";
}

// Columns end at 45 %, 80 % and 100 % of the line; of these rich takes 3, 4 and 3 for bars and blanks, and two blanks stand in each.
Widths column_widths(int columns) {
  const int line = std::clamp(columns - 4, 16, 88);
  const int first = static_cast<int>(0.45 * line), second = static_cast<int>(0.80 * line);
  const auto inner = [](int cell_width) { return static_cast<std::size_t>(std::max(cell_width - 2, 1)); };
  return {inner(first - 1), inner(second - first - 2), inner(line - second - 1)};
}

std::string memory_size(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KB", "MB", "GB", "TB", "PB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; unit < kUnits.size() && size / 1024 >= 1; ++unit) size /= 1024;
  return fmt::format("{:.2f} {}", size, kUnits[std::min(unit, kUnits.size() - 1)]);
}

}  // namespace

std::string with_separators(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string summary_table(const SummaryModel& model, int columns) {
  const auto print = [columns](std::string_view line) {
    std::string text;
    for (const std::string& part : wrap(line, static_cast<std::size_t>(std::max(columns, 1)), true)) text += part + "\n";
    return text;
  };
  const auto total = [&print](std::string_view what, const SummaryCount& count) {
    return print(fmt::format(" {} params: {} ({})", what, with_separators(count.params), memory_size(count.bytes)));
  };
  const Widths widths = column_widths(columns);
  std::string text = print(fmt::format("Model: \"{}\"", model.name));
  text += rule(widths, "┏", "━", "┳", "┓");
  text += table_row({"Layer (type)", "Output Shape", "Param #"}, widths, "┃", true);
  text += rule(widths, "┡", "━", "╇", "┩");
  for (std::size_t r = 0; r < model.rows.size(); ++r) {
    const SummaryRow& row = model.rows[r];
    if (r > 0) text += rule(widths, "├", "─", "┼", "┤");
    text += table_row({fmt::format("{} ({})", row.name, row.class_name), row.shape.empty() ? "?" : row.shape,
                       row.params < 0 ? "0 (unbuilt)" : with_separators(row.params)},
                      widths, "│", false);
  }
  text += rule(widths, "└", "─", "┴", "┘");
  SummaryCount all = model.optimizer.value_or(SummaryCount{});
  all.params += model.trainable.params + model.non_trainable.params;
  all.bytes += model.trainable.bytes + model.non_trainable.bytes;
  text += total("Total", all) + total("Trainable", model.trainable) + total("Non-trainable", model.non_trainable);
  if (model.optimizer) text += total("Optimizer", *model.optimizer);
  return text;
}

}  // namespace lockstep
