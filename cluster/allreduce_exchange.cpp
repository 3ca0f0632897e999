#include <chrono>

#include "cluster/exchange.h"

namespace lockstep {
namespace {

constexpr std::size_t kFlags = 16;  // a cache line after the gradients

/// Every rank forms its own gradient of each layer; one allreduce of the whole buffer, flags included, adds them up.
class AllreduceExchange final : public Exchange {
 public:
  AllreduceExchange(Allreduce& allreduce, std::int64_t count, Form form)
      : allreduce_(allreduce), form_(std::move(form)), buffer_(allreduce.allocate(static_cast<std::size_t>(count) + kFlags)) {}

  std::span<float> gradients() override { return buffer_.first(buffer_.size() - kFlags); }
  std::span<float> flags() override { return buffer_.last(kFlags); }
  void ready(std::size_t index) override { form_(index); }

  void finish() override {
    const auto start = std::chrono::steady_clock::now();
    allreduce_.sum(buffer_);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  double seconds() const override { return seconds_; }

 private:
  Allreduce& allreduce_;
  Form form_;
  std::span<float> buffer_;  // (gradients, flags)
  double seconds_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::int64_t count, Exchange::Form form) {
  return std::make_unique<AllreduceExchange>(allreduce, count, std::move(form));
}

}  // namespace lockstep
