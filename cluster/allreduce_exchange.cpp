#include <chrono>

#include "cluster/buffer.h"
#include "cluster/exchange.h"

namespace lockstep {
namespace {

/// Every rank forms its own gradient of each layer; one allreduce of the whole buffer, flags included, adds them up.
class AllreduceExchange final : public Exchange {
 public:
  AllreduceExchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, Form form)
      : allreduce_(allreduce), blocks_(std::move(blocks)), form_(std::move(form)) {
    const std::int64_t count = blocks_.empty() ? 0 : blocks_.back().offset + blocks_.back().count;
    buffer_ = allreduce_.allocate(static_cast<std::size_t>(count) + kFlags);
  }

  std::string_view name() const override { return allreduce_.name(); }
  bool shared() const override { return false; }
  std::span<float> allocate(std::int64_t count) override {
    own_memory_.emplace_back(count);
    return own_memory_.back().span();
  }
  std::span<float> gradients() override { return buffer_.first(buffer_.size() - kFlags); }
  std::span<float> flags() override { return buffer_.last(kFlags); }
  std::span<const GradientBlock> own() const override { return blocks_; }

  void ready(std::size_t index) override {
    std::size_t first = 0;
    while (first < blocks_.size() && blocks_[first].layer < index) ++first;
    std::size_t last = first;
    while (last < blocks_.size() && blocks_[last].layer == index) ++last;
    form_(std::span<const GradientBlock>(blocks_).subspan(first, last - first));
  }

  void finish() override {
    const auto start = std::chrono::steady_clock::now();
    allreduce_.sum(buffer_);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void synchronize() override {}
  void publish() override {}
  double seconds() const override { return seconds_; }

 private:
  Allreduce& allreduce_;
  std::vector<GradientBlock> blocks_;
  Form form_;
  std::vector<Buffer> own_memory_;
  std::span<float> buffer_;  // (gradients, flags)
  double seconds_ = 0;
};

}  // namespace

ExchangeKind exchange_from_name(std::string_view name) {
  if (name == "auto") return ExchangeKind::automatic;
  if (name == "factors") return ExchangeKind::factors;
  if (name == "gradients") return ExchangeKind::gradients;
  throw Error("unknown exchange '" + std::string(name) + "'; there are: auto, factors, gradients", kUsage);
}

std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, Exchange::Form form) {
  return std::make_unique<AllreduceExchange>(allreduce, std::move(blocks), std::move(form));
}

}  // namespace lockstep
