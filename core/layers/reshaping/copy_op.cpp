#include "core/layers/reshaping/copy_op.h"

#include <algorithm>

namespace lockstep {
namespace {

class CopyOp final : public Op {
 public:
  CopyOp(std::int64_t width, const Copies& copies) : runs_(copies.runs()) {
    in = width;
    for (const Copies::Run& run : runs_) out += run.length;
  }

  void forward(const float* x, float* y, const Block& block) const override {
    for (std::int64_t r = 0; r < block.rows; ++r, x += in) {
      for (const auto& [from, length] : runs_) {
        if (length == 1 && from != Copies::kZeros) {
          *y++ = x[from];
          continue;
        }
        y = from == Copies::kZeros ? std::fill_n(y, length, 0.F) : std::copy_n(x + from, length, y);
      }
    }
  }

  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, block.rows * in, 0.F);
    for (std::int64_t r = 0; r < block.rows; ++r, dx += in) {
      for (const auto& [from, length] : runs_) {
        for (std::int64_t i = 0; i < length && from != Copies::kZeros; ++i) dx[from + i] += dy[i];
        dy += length;
      }
    }
  }

 private:
  std::vector<Copies::Run> runs_;
};

}  // namespace

void Copies::add(std::int64_t from, std::int64_t length) {
  if (length == 0) return;
  const bool zeros = from == kZeros;
  if (!runs_.empty()) {
    Run& last = runs_.back();
    if (zeros ? last.from == kZeros : last.from != kZeros && last.from + last.length == from) {
      last.length += length;
      return;
    }
  }
  runs_.push_back({from, length});
}

std::unique_ptr<Op> copy_op(std::int64_t in, const Copies& copies) { return std::make_unique<CopyOp>(in, copies); }

}  // namespace lockstep
