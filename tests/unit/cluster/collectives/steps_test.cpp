// All ranks of the message algorithms played inside one process: every chunk ends as the sum of every rank's, once each, in the promised
// number of steps and bytes.
#include "cluster/collectives/steps.h"

#include <gtest/gtest.h>

#include <bit>
#include <deque>
#include <map>

namespace lockstep {
namespace {

using Chunk = std::map<int, int>;  // rank -> how often its part is in the sum

struct Played {
  std::vector<std::vector<Chunk>> buffers;  // per rank
  std::vector<std::size_t> chunks_sent;     // per rank
  bool stuck = false;
};

template <class MakeSteps>
Played play(const MakeSteps& make_steps, int ranks) {
  Played played;
  std::vector<AllreduceSteps> all;
  std::map<std::pair<int, int>, std::deque<std::vector<Chunk>>> wire;
  for (int r = 0; r < ranks; ++r) {
    all.push_back(make_steps(r, ranks));
    played.buffers.emplace_back(all.back().chunks, Chunk{{r, 1}});
    played.chunks_sent.push_back(0);
  }
  std::vector<std::size_t> step(all.size()), sent(all.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t r = 0; r < all.size(); ++r) {
      if (step[r] == all[r].steps.size()) continue;
      const AllreduceStep& now = all[r].steps[step[r]];
      std::vector<Chunk>& buffer = played.buffers[r];
      if (sent[r] == step[r] && now.to >= 0) {
        const auto first = buffer.begin() + static_cast<std::ptrdiff_t>(now.sent.first);
        wire[{static_cast<int>(r), now.to}].emplace_back(first, first + static_cast<std::ptrdiff_t>(now.sent.count));
        played.chunks_sent[r] += now.sent.count;
      }
      sent[r] = step[r] + 1;
      if (now.from >= 0) {
        auto& queue = wire[{now.from, static_cast<int>(r)}];
        if (queue.empty()) continue;
        EXPECT_EQ(queue.front().size(), now.received.count);
        for (std::size_t c = 0; c < now.received.count; ++c) {
          Chunk& own = buffer[now.received.first + c];
          if (!now.adds) own.clear();
          for (const auto& [rank, times] : queue.front()[c]) own[rank] += times;
        }
        queue.pop_front();
      }
      ++step[r];
      moved = true;
    }
  }
  for (std::size_t r = 0; r < all.size(); ++r) played.stuck = played.stuck || step[r] < all[r].steps.size();
  for (const auto& [pair, queue] : wire) EXPECT_TRUE(queue.empty()) << pair.first << " to " << pair.second;
  return played;
}

void expect_sums(const Played& played, int ranks) {
  Chunk whole;
  for (int r = 0; r < ranks; ++r) whole[r] = 1;
  ASSERT_FALSE(played.stuck) << ranks << " ranks";
  for (const std::vector<Chunk>& buffer : played.buffers) {
    for (const Chunk& chunk : buffer) ASSERT_EQ(chunk, whole) << ranks << " ranks";
  }
}

TEST(AllreduceSteps, EveryRankGetsTheSumOfAll) {
  for (int ranks = 1; ranks <= 20; ++ranks) {
    expect_sums(play(ring_steps, ranks), ranks);
    expect_sums(play(halving_doubling_steps, ranks), ranks);
    expect_sums(play(recursive_doubling_steps, ranks), ranks);
  }
}

TEST(AllreduceSteps, RingAndHalvingSendTheLeastBytes) {
  for (const int ranks : {2, 3, 4, 7, 8, 16}) {
    for (const std::size_t chunks : play(ring_steps, ranks).chunks_sent)
      EXPECT_EQ(chunks, static_cast<std::size_t>(2 * (ranks - 1)));  // of N
    EXPECT_EQ(ring_steps(0, ranks).steps.size(), static_cast<std::size_t>(2 * (ranks - 1)));
  }
  for (const int ranks : {2, 4, 8, 16}) {
    const auto doublings = static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(ranks)));
    for (const std::size_t chunks : play(halving_doubling_steps, ranks).chunks_sent)
      EXPECT_EQ(chunks, static_cast<std::size_t>(2 * (ranks - 1)));
    EXPECT_EQ(halving_doubling_steps(1, ranks).steps.size(), 2 * doublings);
    EXPECT_EQ(recursive_doubling_steps(1, ranks).steps.size(), doublings);
  }
}

}  // namespace
}  // namespace lockstep
