#include <algorithm>
#include <array>
#include <chrono>
#include <list>

#include "cluster/exchange.h"
#include "cluster/shared_memory.h"

namespace lockstep {
namespace {

/// Blocks [first, last) of a rank: shares of nearly equal size, in one piece.
std::vector<GradientBlock> share(const std::vector<GradientBlock>& blocks, int rank, int size) {
  std::int64_t total = 0;
  for (const GradientBlock& block : blocks) total += block.count;
  std::vector<GradientBlock> own;
  for (const GradientBlock& block : blocks) {
    const std::int64_t middle = block.offset - blocks.front().offset + block.count / 2;
    if (middle * size / std::max<std::int64_t>(total, 1) == rank) own.push_back(block);
  }
  return own;
}

class FactorExchange final : public Exchange {
 public:
  FactorExchange(const World& world, std::vector<GradientBlock> blocks, Form form)
      : world_(world), own_(share(blocks, world.rank(), world.size())), form_(std::move(form)), barrier_(world), flags_(world, 2 * sizeof(Flags)) {
    gradients_ = allocate(blocks.empty() ? 0 : blocks.back().offset + blocks.back().count);
  }

  std::string_view name() const override { return "factors"; }
  bool shared() const override { return true; }
  std::span<float> gradients() override { return gradients_; }
  std::span<float> flags() override { return sums_; }
  std::span<const GradientBlock> own() const override { return own_; }
  void ready(std::size_t) override {}

  std::span<float> allocate(std::int64_t count) override {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
    memory_.emplace_back(world_, world_.local_rank() == 0 ? bytes : 0);
    return {reinterpret_cast<float*>(memory_.back().segment(0)), static_cast<std::size_t>(count)};
  }

  void finish() override {
    // Two sets in turns: a rank may write those of its next step while another still reads these.
    turn_ ^= 1U;
    std::copy(sums_.begin(), sums_.end(), flags_of(world_.local_rank()).begin());
    wait();
    std::fill(sums_.begin(), sums_.end(), 0.F);
    for (int rank = 0; rank < world_.local_size(); ++rank) {
      const Flags& flags = flags_of(rank);
      for (std::size_t i = 0; i < kFlags; ++i) sums_[i] += flags[i];
    }
    form_(own_);
  }

  void synchronize() override { wait(); }
  void publish() override { wait(); }
  double seconds() const override { return seconds_; }

 private:
  using Flags = std::array<float, kFlags>;

  Flags& flags_of(int rank) const { return reinterpret_cast<Flags*>(flags_.segment(rank))[turn_]; }
  void wait() {
    const auto start = std::chrono::steady_clock::now();
    barrier_.wait();
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  const World& world_;
  std::vector<GradientBlock> own_;
  Form form_;
  SpinBarrier barrier_;
  SharedMemory flags_;
  std::list<SharedMemory> memory_;
  std::span<float> gradients_;
  Flags sums_{};
  std::size_t turn_ = 0;
  double seconds_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_factor_exchange(const World& world, std::vector<GradientBlock> blocks, Exchange::Form form) {
  return std::make_unique<FactorExchange>(world, std::move(blocks), std::move(form));
}

}  // namespace lockstep
