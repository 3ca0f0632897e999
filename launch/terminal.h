#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace lockstep {

struct TerminalSize {
  std::size_t columns, rows;
};

/// Of standard output; very wide and high where it is no terminal.
TerminalSize terminal_size();

/// Whether standard output is a terminal that can move its cursor.
bool terminal_can_redraw();

/// Lines of text that replace the ones drawn before.
class RedrawnText {
 public:
  void draw(const std::vector<std::string>& lines);

 private:
  std::vector<std::size_t> drawn_;  // columns of each line on the screen
};

}  // namespace lockstep
