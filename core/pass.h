#pragma once
#include <cstdint>
#include <exception>
#include <vector>

#include "core/buffer.h"
#include "core/network.h"

namespace lockstep {

/// Calls work(i) for i in [0, count), spread over `threads` threads; the first exception is thrown again here.
template <class Work>
void for_each_grain(int threads, std::int64_t count, const Work& work) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  std::exception_ptr error;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      work(i);
    } catch (...) {
#pragma omp critical
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

/// Number of the calling thread inside for_each_grain.
int grain_thread();

/// The buffers between a network's ops for a number of grains, and the way through them: op by op, so that a layer's weights stay in the
/// cache for all grains. values(i) is the input of op i, values(ops) the output of the network, each (grains * rows, width), row-major.
class Pass {
 public:
  /// backward: also has deltas, dL/dvalues(i).
  Pass(Network& network, std::int64_t rows, std::int64_t grains, int threads, bool backward);

  float* values(std::size_t i) { return values_[i].data(); }
  float* deltas(std::size_t i) { return deltas_[i].data(); }
  float* input() { return values_.front().data(); }
  /// The network's output; with `logits` what its last op was given instead of a softmax or sigmoid, for the loss to replace.
  float* output() { return values_.back().data(); }
  float* output_deltas() { return deltas_.back().data(); }
  std::int64_t rows() const { return rows_; }
  std::int64_t grains() const { return grains_; }
  int threads() const { return threads_; }

  /// `block`: step, training, logits; first_slot of the first grain. Only the first `grains` grains are computed.
  void forward(Block block, std::int64_t grains);
  /// From output_deltas() down to the first trainable op; leaves each op's deltas in deltas(i + 1).
  void backward(Block block);

 private:
  Block at(Block block, std::int64_t grain, bool last) const;

  Network& network_;
  std::int64_t rows_, grains_;
  int threads_;
  std::vector<Buffer> values_, deltas_;
};

}  // namespace lockstep
