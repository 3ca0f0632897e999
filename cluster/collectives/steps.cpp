#include "cluster/collectives/steps.h"

#include <bit>

namespace lockstep {
namespace {

/// The 2^k ranks between which an algorithm for powers of two works, when the others have handed their buffers to a neighbour.
struct Core {
  explicit Core(int ranks) : size(static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks)))), pairs(ranks - size) {}
  int size, pairs;
  bool folded(int rank) const { return rank < 2 * pairs && rank % 2 == 0; }
  bool hosts_another(int rank) const { return rank < 2 * pairs && rank % 2 == 1; }
  int place(int rank) const { return rank < 2 * pairs ? rank / 2 : rank - pairs; }
  int rank(int place) const { return place < pairs ? 2 * place + 1 : place + pairs; }
};

/// Puts the folding around the steps of a core rank; `core_steps` is called with this rank's place in it.
template <class CoreSteps>
AllreduceSteps fold(int rank, int ranks, std::size_t chunks, const CoreSteps& core_steps) {
  const Core core(ranks);
  AllreduceSteps all{chunks, {}};
  const AllreduceStep::Run whole{0, chunks};
  if (core.folded(rank)) {
    all.steps.push_back({.to = rank + 1, .from = -1, .sent = whole, .received = {}, .adds = false});
    all.steps.push_back({.to = -1, .from = rank + 1, .sent = {}, .received = whole, .adds = false});
    return all;
  }
  if (core.hosts_another(rank)) all.steps.push_back({.to = -1, .from = rank - 1, .sent = {}, .received = whole, .adds = true});
  core_steps(core, core.place(rank), all.steps);
  if (core.hosts_another(rank)) all.steps.push_back({.to = rank - 1, .from = -1, .sent = whole, .received = {}, .adds = false});
  return all;
}

}  // namespace

AllreduceSteps ring_steps(int rank, int ranks) {
  AllreduceSteps all{static_cast<std::size_t>(ranks), {}};
  const int right = (rank + 1) % ranks, left = (rank + ranks - 1) % ranks;
  const auto behind = [&](int steps) { return AllreduceStep::Run{static_cast<std::size_t>((rank + 2 * ranks - steps) % ranks), 1}; };
  for (int s = 0; s < 2 * (ranks - 1); ++s) {
    all.steps.push_back({.to = right, .from = left, .sent = behind(s), .received = behind(s + 1), .adds = s < ranks - 1});
  }
  return all;
}

AllreduceSteps halving_doubling_steps(int rank, int ranks) {
  const auto chunks = static_cast<std::size_t>(Core(ranks).size);
  return fold(rank, ranks, chunks, [&](const Core& core, int place, std::vector<AllreduceStep>& steps) {
    AllreduceStep::Run own{0, chunks};
    for (int distance = 1; distance < core.size; distance *= 2) {
      const AllreduceStep::Run low{own.first, own.count / 2}, high{own.first + own.count / 2, own.count / 2};
      const bool upper = (place & distance) != 0;
      own = upper ? high : low;
      const int partner = core.rank(place ^ distance);
      steps.push_back({.to = partner, .from = partner, .sent = upper ? low : high, .received = own, .adds = true});
    }
    for (int distance = core.size / 2; distance > 0; distance /= 2) {
      const bool upper = (place & distance) != 0;
      const AllreduceStep::Run other{upper ? own.first - own.count : own.first + own.count, own.count};
      const int partner = core.rank(place ^ distance);
      steps.push_back({.to = partner, .from = partner, .sent = own, .received = other, .adds = false});
      own = {upper ? other.first : own.first, 2 * own.count};
    }
  });
}

AllreduceSteps recursive_doubling_steps(int rank, int ranks) {
  return fold(rank, ranks, 1, [](const Core& core, int place, std::vector<AllreduceStep>& steps) {
    for (int distance = 1; distance < core.size; distance *= 2) {
      const int partner = core.rank(place ^ distance);
      steps.push_back({.to = partner, .from = partner, .sent = {0, 1}, .received = {0, 1}, .adds = true});
    }
  });
}

}  // namespace lockstep
