#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <numeric>
#include <sstream>
#include <tuple>

#include "cluster/collectives/host_messages.h"
#include "cluster/host/shared_memory.h"
#include "core/exchange/exchange.h"

namespace lockstep {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Work that goes with a block, a few columns taking as long as a whole vector.
std::int64_t work_of(const GradientBlock& block) {
  constexpr std::int64_t kVector = 16;
  if (block.columns == 0) return block.count;
  return (block.last - block.first) * ((block.columns + kVector - 1) / kVector * kVector);
}

/// Whose block it is, so that every rank has nearly the same work: the largest block left goes to the rank that has least. Blocks of one
/// kind can stand for each other: each rank takes as many, but side by side.
std::vector<std::size_t> owners_of(const std::vector<GradientBlock>& blocks, std::size_t ranks) {
  std::vector<std::size_t> order(blocks.size()), owners(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) {  // those that stay first: no rank may have more of them than it must
                     return std::pair(blocks[a].stays, work_of(blocks[a])) > std::pair(blocks[b].stays, work_of(blocks[b]));
                   });
  std::vector<std::int64_t> load(ranks);
  for (const std::size_t b : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    owners[b] = least;
    load[least] += work_of(blocks[b]);
  }
  const auto kind = [&](std::size_t b) { return std::tuple(blocks[b].layer, blocks[b].count, blocks[b].stays); };
  std::map<std::tuple<std::size_t, std::int64_t, bool>, std::vector<std::size_t>> alike;  // owners of the blocks of a kind
  for (std::size_t b = 0; b < blocks.size(); ++b) alike[kind(b)].push_back(owners[b]);
  for (auto& [same, of] : alike) std::sort(of.begin(), of.end(), std::greater<>());  // taken from the back
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    std::vector<std::size_t>& of = alike[kind(b)];
    owners[b] = of.back();
    of.pop_back();
  }
  return owners;
}

/// Whether block `next` goes on where `block` ends, in the kernel's rows or in its columns.
bool adjoins(const GradientBlock& block, const GradientBlock& next) {
  if (!block.joins || !next.joins || block.layer != next.layer || block.bias || (block.columns > 0) != (next.columns > 0) ||
      block.stays != next.stays)
    return false;
  if (block.columns > 0) return next.column == block.column + block.columns;
  return next.first == block.last && next.first < next.last && next.offset == block.offset + block.count;
}

/// The blocks of each rank, joined where they may be: a GEMM is the faster the larger it is.
std::vector<std::vector<GradientBlock>> shares_of(const std::vector<GradientBlock>& blocks, int ranks) {
  const std::vector<std::size_t> owners = owners_of(blocks, static_cast<std::size_t>(ranks));
  std::vector<std::vector<GradientBlock>> shares(static_cast<std::size_t>(ranks));
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    std::vector<GradientBlock>& share = shares[owners[b]];
    if (share.empty() || !adjoins(share.back(), blocks[b])) {
      share.push_back(blocks[b]);
      continue;
    }
    GradientBlock& last = share.back();
    last.last = blocks[b].last;
    last.bias = blocks[b].bias;
    last.count += blocks[b].count;
    last.columns += blocks[b].columns;
  }
  return shares;
}

void copy_block(const GradientBlock& block, const float* from, float* to) {
  const std::int64_t rows = block.columns > 0 ? block.last - block.first : 1, count = block.columns > 0 ? block.columns : block.count;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t at = block.offset + r * block.stride;
    std::memcpy(to + at, from + at, static_cast<std::size_t>(count) * sizeof(float));
  }
}

class FactorExchange final : public Exchange, public SharedFactors {
 public:
  FactorExchange(const World& world, const std::vector<GradientBlock>& blocks, const std::vector<VariableRange>& written, bool far)
      : world_(world),
        columns_stay_(std::any_of(blocks.begin(), blocks.end(), [](const GradientBlock& block) { return block.stays; })),
        in_place_(!columns_stay_ && !far),
        shares_(shares_of(blocks, world.local_size())),
        barrier_(world),
        messages_(world) {
    allocate_gradients(written);
    const auto rank = static_cast<std::size_t>(world.rank());
    for (std::span<float>& flags : flags_) {
      flags = allocate(world.size() * static_cast<std::int64_t>(kFlags));
      messages_.add(flags, rank * kFlags, kFlags);
    }
  }

  std::string_view name() const override { return "factors"; }
  SharedFactors* factors() override { return this; }
  bool replicates() const override { return !in_place_; }
  std::span<float> gradients() override { return gradients_; }
  std::span<float> flags() override { return sums_; }
  std::span<const GradientBlock> own() const override { return shares_[static_cast<std::size_t>(world_.local_rank())]; }

  std::span<float> allocate(std::int64_t count) override {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
    memory_.emplace_back(world_, world_.local_rank() == 0 ? bytes : 0);
    return {floats(memory_.back(), 0), static_cast<std::size_t>(count)};
  }

  std::span<float> allocate_weights(std::int64_t count) override {
    if (in_place_) return allocate(count);
    replicas_ = std::make_unique<SharedMemory>(world_, static_cast<std::size_t>(count) * sizeof(float));
    return {floats(*replicas_, world_.local_rank()), static_cast<std::size_t>(count)};
  }

  void watch(const Factor& activations, const Factor& deltas) override {
    activations_.push_back(
        messages_.add(activations.rows, static_cast<std::size_t>(activations.offset), static_cast<std::size_t>(activations.count)));
    deltas_.push_back(messages_.add(deltas.rows, static_cast<std::size_t>(deltas.offset), static_cast<std::size_t>(deltas.count)));
  }

  // The first layer's activations are the largest message and the first to be complete: they go first.
  void forwarded() override {
    for (std::size_t i = activations_.size(); i-- > 0;) messages_.start(activations_[i]);
  }
  void ready(std::size_t index) override { messages_.start(deltas_[index]); }

  // Blocks are formed from all rows, which are there after finish().
  std::span<const GradientBlock> due() override { return due_; }
  void formed(std::span<const GradientBlock> /*blocks*/) override { due_ = {}; }

  void finish() override {
    // Two sets in turns: a rank may write those of its next step while another still reads these.
    turn_ ^= 1U;
    const std::span<float> flags = flags_[turn_];
    std::copy(sums_.begin(), sums_.end(), flags.begin() + world_.rank() * static_cast<std::ptrdiff_t>(kFlags));
    messages_.start(turn_);
    const double start = now();
    messages_.finish();
    barrier_.wait();
    seconds_ += now() - start;
    std::fill(sums_.begin(), sums_.end(), 0.F);
    for (std::size_t i = 0; i < flags.size(); ++i) sums_[i % kFlags] += flags[i];
    due_ = own();
  }

  void synchronize() override { wait(); }

  void publish() override {
    wait();
    if (!replicas_) return;
    const double start = now();
    // No barrier behind the copies: a rank changes its blocks again only after the next finish().
    copy_others([](const GradientBlock& block) { return !block.stays; });
    seconds_ += now() - start;
  }

  bool columns_stay() const override { return columns_stay_; }

  std::span<float> allocate_copies(std::int64_t count, std::int64_t offset, std::int64_t own) override {
    copies_ = std::make_unique<SharedMemory>(world_, static_cast<std::size_t>(count) * sizeof(float));
    for (const std::string& text : world_.all_gather(std::to_string(offset) + " " + std::to_string(own))) {
      std::istringstream(text) >> parts_.emplace_back().first >> parts_.back().second;
    }
    return {floats(*copies_, world_.local_rank()), static_cast<std::size_t>(count)};
  }

  void collect() override {
    wait();
    const double start = now();
    for (int rank = 0; rank < world_.size(); ++rank) {
      const auto& [offset, own] = parts_[static_cast<std::size_t>(rank)];
      if (rank == world_.rank()) continue;
      std::memcpy(floats(*copies_, world_.local_rank()) + offset, floats(*copies_, rank) + offset,
                  static_cast<std::size_t>(own) * sizeof(float));
    }
    seconds_ += now() - start;
  }

  void complete(WeightScope scope) override {
    if (!columns_stay_ || !replicas_) return;
    wait();
    if (scope == WeightScope::every_rank || world_.rank() == 0) copy_others([](const GradientBlock& block) { return block.stays; });
    if (scope == WeightScope::every_rank)
      wait();  // else nobody changes a column before rank 0 has come to the barrier of the next finish()
  }

  double seconds() const override { return seconds_; }

 private:
  /// Only what is written has pages: training in place leaves holes.
  void allocate_gradients(const std::vector<VariableRange>& written) {
    const auto bytes = [](std::int64_t count) { return static_cast<std::size_t>(count) * sizeof(float); };
    std::vector<SharedMemory::Part> parts;
    std::int64_t end = 0;
    for (const VariableRange& range : written) {
      parts.push_back({bytes(range.offset), bytes(range.count)});
      end = std::max(end, range.offset + range.count);
    }
    if (world_.local_rank() == 0) {
      memory_.emplace_back(world_, bytes(end), std::move(parts));
    } else {
      memory_.emplace_back(world_, 0, std::vector<SharedMemory::Part>{});
    }
    gradients_ = {floats(memory_.back(), 0), static_cast<std::size_t>(end)};
  }

  /// From the other ranks' copies of the weights into this rank's.
  template <class Wanted>
  void copy_others(const Wanted& wanted) {
    float* const own = floats(*replicas_, world_.local_rank());
    for (int rank = 0; rank < world_.local_size(); ++rank) {
      if (rank == world_.local_rank()) continue;
      for (const GradientBlock& block : shares_[static_cast<std::size_t>(rank)]) {
        if (wanted(block)) copy_block(block, floats(*replicas_, rank), own);
      }
    }
  }

  static float* floats(const SharedMemory& memory, int rank) { return reinterpret_cast<float*>(memory.segment(rank)); }
  void wait() {
    const double start = now();
    barrier_.wait();
    seconds_ += now() - start;
  }

  const World& world_;
  bool columns_stay_, in_place_;
  std::vector<std::vector<GradientBlock>> shares_;  // per rank of this host
  SpinBarrier barrier_;
  HostMessages messages_;  // arrays 0 and 1 are the flags
  std::vector<std::size_t> activations_, deltas_;
  std::list<SharedMemory> memory_;
  std::unique_ptr<SharedMemory> copies_;                      // of allocate_copies, a segment for each rank
  std::vector<std::pair<std::int64_t, std::int64_t>> parts_;  // of it: offset and count of every rank
  std::unique_ptr<SharedMemory> replicas_;                    // of the weights, a segment for each rank
  std::span<float> gradients_;
  std::array<std::span<float>, 2> flags_;  // (ranks of the job, kFlags)
  std::array<float, kFlags> sums_{};
  std::size_t turn_ = 0;
  std::span<const GradientBlock> due_;
  double seconds_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_factor_exchange(const World& world, std::vector<GradientBlock> blocks,
                                               const std::vector<VariableRange>& written, bool far) {
  return std::make_unique<FactorExchange>(world, blocks, written, far);
}

}  // namespace lockstep
