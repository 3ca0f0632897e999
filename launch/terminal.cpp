#include "launch/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace lockstep {
namespace {

std::size_t columns_of(const std::string& text) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };  // of UTF-8
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0) return {100'000, 100'000};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

bool terminal_can_redraw() {
  const char* kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && kind != nullptr && *kind != '\0' && std::string(kind) != "dumb";
}

void RedrawnText::draw(const std::vector<std::string>& lines) {
  // After the window got narrower, what was one line may take several.
  const std::size_t columns = terminal_size().columns;
  std::size_t rows = 0;
  for (const std::size_t length : drawn_) rows += std::max<std::size_t>(1, (length + columns - 1) / columns);
  std::string text;
  if (rows > 0) text = "\r\x1b[" + std::to_string(rows) + "A\x1b[J";  // up, clear to the end of the screen
  drawn_.clear();
  for (const std::string& line : lines) {
    text += line + "\n";
    drawn_.push_back(columns_of(line));
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace lockstep
