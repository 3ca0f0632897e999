#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/world.h"
#include "core/data/sampler.h"
#include "core/math/grain_tree.h"
#include "core/math/thread_team.h"

namespace lockstep {

/// Adds numbers over the grains of a batch in the middle of a pass, in one fixed tree: the same bits at every number of ranks and threads.
class BatchSums {
 public:
  /// Of a batch whose grains are spread over the ranks of `world`.
  BatchSums(const Grains& grains, const World& world);
  /// Of a batch of one rank.
  explicit BatchSums(std::int64_t grains);

  /// collect(g, double* sums) writes `count` numbers of this rank's grain g, counted from its first. Returns their sums over all grains of
  /// all ranks, which stay until the next call. Collective.
  template <class Collect>
  std::span<const double> add(std::int64_t count, int threads, const Collect& collect) {
    resize(count);
    for_each_grain(threads, last_ - first_, [&](std::int64_t g) { collect(g, grains_.data() + g * count); });
    return add_up(count);
  }

  /// Spent waiting for other ranks so far.
  double seconds() const { return seconds_; }

 private:
  void resize(std::int64_t count);
  std::span<const double> add_up(std::int64_t count);

  const World* world_;  // null: there is one rank
  int rank_;
  std::int64_t first_, last_;  // own grains
  GrainTree tree_;
  std::vector<double> grains_, parts_, scratch_,
      sums_;  // (own grains, count), (parts of all ranks, count), (tree's scratch, count), (count)
  double seconds_ = 0;
};

}  // namespace lockstep
