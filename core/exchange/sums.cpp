// Gradients are summed in buckets: consecutive blocks of the flat buffer, which lies in the order in which backward finishes it. A bucket
// is summed as soon as its blocks are formed, while the blocks after it are. The last bucket carries the flags and starts in finish().
#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "cluster/buffer.h"
#include "cluster/collectives/communication_thread.h"
#include "cluster/host/placement.h"
#include "core/exchange/exchange.h"

namespace lockstep {
namespace {

constexpr std::int64_t kLeastBucket = 64 << 10, kMostBucket = 4 << 20;  // floats: beside latencies, and not much later than possible
constexpr std::int64_t kBuckets = 4;                                    // in between

/// Blocks [first, last) and their part of the buffer.
struct Bucket {
  std::size_t first, last, offset, count;
};

std::vector<Bucket> cut_buckets(const std::vector<GradientBlock>& blocks, bool overlaps) {
  const std::int64_t total = blocks.empty() ? 0 : blocks.back().offset + blocks.back().count;
  const std::int64_t least = overlaps ? std::clamp(total / kBuckets, kLeastBucket, kMostBucket) : total;
  std::vector<Bucket> buckets;
  for (std::size_t first = 0; first < blocks.size();) {
    std::size_t last = first;
    std::int64_t count = 0;
    while (last < blocks.size() && count < least) count += blocks[last++].count;
    buckets.push_back({first, last, static_cast<std::size_t>(blocks[first].offset), static_cast<std::size_t>(count)});
    first = last;
  }
  if (buckets.empty()) buckets.push_back({0, 0, 0, 0});
  return buckets;
}

/// Adds the time of a scope.
class Clock {
 public:
  explicit Clock(double& seconds) : seconds_(seconds) {}
  ~Clock() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Every rank forms its own gradient of each layer; an allreduce adds them up, flags included.
class AllreduceExchange final : public Exchange {
 public:
  AllreduceExchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, ExchangeProgress progress)
      : allreduce_(allreduce),
        progress_(allreduce.advances() ? progress : ExchangeProgress::none),
        blocks_(std::move(blocks)),
        buckets_(cut_buckets(blocks_, progress_ != ExchangeProgress::none)) {
    const Bucket& last = buckets_.back();
    buffer_ = allreduce_.allocate(last.offset + last.count + kFlags);
    if (progress_ == ExchangeProgress::thread) {
      thread_.emplace([this](std::uint64_t n, const std::atomic<bool>& stop) {
        allreduce_.start(part(n % buckets_.size()));
        while (!allreduce_.advance() && !stop) std::this_thread::yield();
      });
    }
  }

  std::string_view name() const override { return allreduce_.name(); }
  std::span<float> allocate(std::int64_t count) override {
    own_memory_.emplace_back(count);
    return own_memory_.back().span();
  }
  std::span<float> gradients() override { return buffer_.first(buffer_.size() - kFlags); }
  std::span<float> flags() override { return buffer_.last(kFlags); }
  std::span<const GradientBlock> own() const override { return blocks_; }

  void ready(std::size_t index) override { ready_ = index + 1; }

  std::span<const GradientBlock> due() override {
    std::size_t last = formed_;
    while (last < buckets_[bucket_].last && blocks_[last].layer < ready_) ++last;
    return std::span<const GradientBlock>(blocks_).subspan(formed_, last - formed_);
  }

  void formed(std::span<const GradientBlock> blocks) override {
    formed_ += blocks.size();
    if (formed_ == buckets_[bucket_].last && bucket_ + 1 < buckets_.size()) {
      ++bucket_;
      if (thread_) thread_->hand_over();
    }
    if (progress_ == ExchangeProgress::poll) poll();
  }

  void finish() override {
    const Clock clock(seconds_);
    if (thread_) {
      thread_->hand_over();
      thread_->wait();
    } else {
      for (; summed_ < buckets_.size(); ++summed_) {
        if (!running_) allreduce_.start(part(summed_));
        allreduce_.finish();
        running_ = false;
      }
    }
    ready_ = formed_ = bucket_ = summed_ = 0;
  }

  void synchronize() override {}
  void publish() override {}
  double seconds() const override { return seconds_; }

 private:
  std::span<float> part(std::size_t bucket) const {
    const Bucket& of = buckets_[bucket];
    return buffer_.subspan(of.offset, of.count + (bucket + 1 == buckets_.size() ? kFlags : 0));
  }

  /// Goes on with the buckets that are formed, all of which lie before bucket_.
  void poll() {
    const Clock clock(seconds_);
    for (; summed_ < bucket_; ++summed_) {
      if (!running_) allreduce_.start(part(summed_));
      running_ = !allreduce_.advance();
      if (running_) return;
    }
  }

  Allreduce& allreduce_;
  ExchangeProgress progress_;
  std::vector<GradientBlock> blocks_;
  std::vector<Bucket> buckets_;
  std::vector<Buffer> own_memory_;
  std::span<float> buffer_;  // (gradients, flags)
  std::size_t ready_ = 0;    // layers
  std::size_t formed_ = 0;   // blocks of this step
  std::size_t bucket_ = 0;   // that is being formed
  std::size_t summed_ = 0;   // buckets, by poll() and finish()
  bool running_ = false;     // bucket summed_ has been started
  double seconds_ = 0;
  std::optional<CommunicationThread> thread_;
};

}  // namespace

ExchangeProgress choose_progress(const World& world, ExchangeProgress wanted, int threads) {
  const bool spare = has_spare_core(world, threads);
  if (world.communicator() == nullptr || world.size() == 1) return ExchangeProgress::none;
  const bool allowed = CommunicationThread::allowed();
  if (wanted == ExchangeProgress::thread && !allowed) {
    throw Error("progress 'thread' needs MPI_THREAD_MULTIPLE, which the program did not ask MPI_Init_thread for; use poll or none", kUsage);
  }
  if (wanted != ExchangeProgress::automatic) return wanted;
  if (world.hosts() == 1) return ExchangeProgress::none;
  return spare && allowed ? ExchangeProgress::thread : ExchangeProgress::poll;
}

std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, ExchangeProgress progress) {
  return std::make_unique<AllreduceExchange>(allreduce, std::move(blocks), progress);
}

}  // namespace lockstep
