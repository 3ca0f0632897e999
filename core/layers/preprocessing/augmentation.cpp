#include "core/layers/preprocessing/augmentation.h"

#include <algorithm>
#include <cmath>

#include "core/layers/op.h"
#include "core/layers/resampling.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

/// Two random numbers of [0, 1) for a row.
struct Draw {
  float first, second;
};

/// Resamples every row by taps of its own in training.
class AugmentationOp : public Op {
 public:
  AugmentationOp(const LayerSite& site, std::optional<std::uint64_t> seed, float outside = 0)
      : height_(site.input[0]),
        width_(site.input[1]),
        resampling_(height_, width_, site.input[2], outside),
        random_(seed.value_or(site.seed), RandomPurpose::augmentation, static_cast<std::uint32_t>(site.index)) {
    in = out = elements(site.input);
  }

  void prepare(std::int64_t /*rows*/, int threads) override {
    if (taps_.size() < static_cast<std::size_t>(threads * (height_ + width_)))
      taps_.resize(static_cast<std::size_t>(threads * (height_ + width_)));
  }

  void forward(const float* x, float* y, const Block& block) const override {
    if (!block.training) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    for (std::int64_t r = 0; r < block.rows; ++r) {
      const auto [rows, columns] = taps_of(block, r);
      resampling_.forward(x + r * in, rows, columns, y + r * in);
    }
  }

  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (!block.training) {
      std::copy_n(dy, block.rows * in, dx);
      return;
    }
    std::fill_n(dx, block.rows * in, 0.F);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      const auto [rows, columns] = taps_of(block, r);
      resampling_.backward(dy + r * in, rows, columns, dx + r * in);
    }
  }

 protected:
  virtual void write_taps(const Draw& draw, std::span<Tap> rows, std::span<Tap> columns) const = 0;

 private:
  struct Taps {
    std::span<Tap> rows, columns;
  };

  Taps taps_of(const Block& block, std::int64_t row) const {
    const PhiloxBlock words = random_.block(static_cast<std::uint64_t>(block.step), static_cast<std::uint64_t>(block.first_slot + row));
    Tap* const first = taps_.data() + block.thread * (height_ + width_);
    const Taps taps = {{first, static_cast<std::size_t>(height_)}, {first + height_, static_cast<std::size_t>(width_)}};
    write_taps({uniform(words[0]), uniform(words[1])}, taps.rows, taps.columns);
    return taps;
  }

  std::int64_t height_, width_;
  Resampling resampling_;
  RandomStream random_;
  mutable std::vector<Tap> taps_;  // (threads, height + width): of the row that a thread works on
};

class FlipOp final : public AugmentationOp {
 public:
  FlipOp(const RandomFlip& layer, const LayerSite& site)
      : AugmentationOp(site, layer.seed), horizontal_(layer.mode != FlipMode::vertical), vertical_(layer.mode != FlipMode::horizontal) {}

 protected:
  void write_taps(const Draw& draw, std::span<Tap> rows, std::span<Tap> columns) const override {
    const bool flip = draw.first < 0.5F;
    mirror(flip && vertical_, rows);
    mirror(flip && horizontal_, columns);
  }

 private:
  static void mirror(bool flip, std::span<Tap> taps) {
    const auto length = static_cast<std::int64_t>(taps.size());
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t from = flip ? length - 1 - i : i;
      taps[static_cast<std::size_t>(i)] = {from, from, 0};
    }
  }

  bool horizontal_, vertical_;
};

/// The pixel that stands for one which may lie beyond an axis; -1: the fill value.
std::int64_t filled(FillMode mode, std::int64_t pixel, std::int64_t length) {
  if (pixel >= 0 && pixel < length) return pixel;
  const auto modulo = [pixel](std::int64_t period) { return (pixel % period + period) % period; };
  switch (mode) {
    case FillMode::constant: return -1;
    case FillMode::reflect: return std::min(modulo(2 * length), 2 * length - 1 - modulo(2 * length));
    case FillMode::wrap: return modulo(length);
    case FillMode::nearest: return pixel < 0 ? 0 : length - 1;
  }
  return -1;
}

class TranslationOp final : public AugmentationOp {
 public:
  TranslationOp(const RandomTranslation& layer, const LayerSite& site)
      : AugmentationOp(site, layer.seed, layer.fill_value), layer_(layer) {}

 protected:
  void write_taps(const Draw& draw, std::span<Tap> rows, std::span<Tap> columns) const override {
    move(layer_.height_factor, draw.first, rows);
    move(layer_.width_factor, draw.second, columns);
  }

 private:
  void move(const Range& factor, float draw, std::span<Tap> taps) const {
    const auto length = static_cast<std::int64_t>(taps.size());
    const float distance = (factor.low + (factor.high - factor.low) * draw) * static_cast<float>(length);
    for (std::int64_t i = 0; i < length; ++i) {
      const float from = static_cast<float>(i) - distance;
      const float below = layer_.interpolation == Interpolation::nearest ? std::round(from) : std::floor(from);
      const auto pixel = static_cast<std::int64_t>(below);
      const float weight = layer_.interpolation == Interpolation::nearest ? 0 : from - below;
      taps[static_cast<std::size_t>(i)] = {filled(layer_.fill_mode, pixel, length), filled(layer_.fill_mode, pixel + 1, length), weight};
    }
  }

  RandomTranslation layer_;
};

}  // namespace

BuiltLayer build(const RandomFlip& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, "(height, width, channels)");
  return same_shape(site, std::make_unique<FlipOp>(layer, site));
}

BuiltLayer build(const RandomTranslation& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, "(height, width, channels)");
  return same_shape(site, std::make_unique<TranslationOp>(layer, site));
}

}  // namespace lockstep
