#pragma once
#include <vector>

#include "io/import/canvas.h"

namespace lockstep {

/// A figure lives in [-1, 1] x [-1, 1], y downwards; its pieces are painted one over the other.
struct Piece {
  Outline outline;
  float tone = 1;        // factor on the paint's shade
  bool textured = true;  // with the figure's texture, else plain
};
using Figure = std::vector<Piece>;

/// A silhouette of class `label` (0 to 9, the classes of Fashion-MNIST) with shapes and sizes drawn at random.
Figure garment_figure(int label, Draw& draw);

}  // namespace lockstep
