#pragma once
#include <cstddef>
#include <vector>

namespace lockstep {

/// One step of an algorithm that sums by messages, as one rank sees it. The buffer is cut into equal chunks; a rank sends a run of them to
/// one rank while it receives another run from one.
struct AllreduceStep {
  struct Run {
    std::size_t first = 0, count = 0;
    bool holds(std::size_t chunk) const { return chunk >= first && chunk < first + count; }
  };
  int to = -1, from = -1;  ///< ranks; -1: sends nothing, receives nothing
  Run sent, received;
  bool adds = false;  ///< what is received is added; else it takes the place of what was there
};

/// All steps of one rank.
struct AllreduceSteps {
  std::size_t chunks = 1;
  std::vector<AllreduceStep> steps;
};

/// Ring (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69, 2009). One chunk for each of N ranks. In step s = 0 .. N-2 rank r sends chunk
/// r-s to its right neighbour and adds the chunk r-s-1 that comes from the left; after N-1 steps it holds the whole sum of chunk r+1. In
/// steps N-1 .. 2N-3 the finished chunks go round once more. 2 (N-1)/N S bytes for a buffer of S bytes, the least possible, in 2 (N-1)
/// steps.
AllreduceSteps ring_steps(int rank, int ranks);

/// Recursive halving and doubling with the distance doubling (Rabenseifner): in step s = 0 .. log2 N - 1 a rank sends half of the run it
/// still works on to the rank at distance 2^s and adds the other half; then the runs grow together again, the other way round. The bytes of
/// a ring in 2 log2 N steps. Sums are the aligned binary tree over ranks, ((0 + 1) + (2 + 3)) + ...
AllreduceSteps halving_doubling_steps(int rank, int ranks);

/// Recursive doubling: the whole buffer is exchanged with the rank at distance 1, 2, 4, ... and added. S log2 N bytes in log2 N steps, the
/// fewest possible: for small buffers. The same binary tree.
AllreduceSteps recursive_doubling_steps(int rank, int ranks);

// The last two are made for N = 2^k. For other N the first 2 (N - 2^k) ranks form pairs; the even one gives its buffer to the odd one
// before and gets the sum from it afterwards: S more bytes twice, so that a ring is the better choice for large buffers.

}  // namespace lockstep
