#include "core/network/batch_sums.h"

#include <algorithm>
#include <chrono>

namespace lockstep {

BatchSums::BatchSums(const Grains& grains, const World& world)
    : world_(&world), rank_(world.rank()), first_(grains.first), last_(grains.last), tree_(grains.count, world.size()) {}

BatchSums::BatchSums(std::int64_t grains) : world_(nullptr), rank_(0), first_(0), last_(grains), tree_(grains, 1) {}

/// Grows only, so that steps after the first one allocate nothing.
void BatchSums::resize(std::int64_t count) {
  const auto grow = [count](std::vector<double>& values, std::int64_t arrays) {
    values.resize(std::max(values.size(), static_cast<std::size_t>(arrays * count)));
  };
  grow(grains_, last_ - first_);
  grow(parts_, tree_.parts());
  grow(scratch_, tree_.scratch());
  grow(sums_, 1);
}

std::span<const double> BatchSums::add_up(std::int64_t count) {
  const std::int64_t all = tree_.parts();
  std::fill_n(parts_.begin(), all * count, 0.0);
  for (std::int64_t part = tree_.first_part(rank_); part < tree_.first_part(rank_ + 1); ++part) {
    tree_.sum_part(part, count, parts_.data() + part * count, scratch_.data(),
                   [&](std::int64_t grain, double* values) { std::copy_n(grains_.data() + (grain - first_) * count, count, values); });
  }
  if (world_ != nullptr && world_->size() > 1) {  // the other ranks' parts are 0 here: adding changes no bit
    const auto start = std::chrono::steady_clock::now();
    world_->sum(std::span(parts_).first(static_cast<std::size_t>(all * count)));
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  tree_.combine(parts_.data(), count, count, sums_.data(), scratch_.data());
  return std::span(sums_).first(static_cast<std::size_t>(count));
}

}  // namespace lockstep
