// The layers that change numbers one by one: Activation, Rescaling, Dropout, Normalization.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cluster/clones.h"
#include "core/layers/op.h"
#include "core/math/elementwise.h"
#include "core/math/philox.h"

namespace lockstep {

LOCKSTEP_CLONES void affine(const float* x, float* y, std::int64_t count, float scale, float offset) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale + offset;
}

namespace {

constexpr float kEpsilon = 1e-7F;  // keras.config.epsilon()

void copy(const float* from, float* to, std::int64_t count) { std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float)); }

class ActivationOp final : public Op {
 public:
  ActivationOp(ActivationFunction function, std::int64_t elements, std::int64_t last_axis) : function_(function), last_axis_(last_axis) {
    in = out = elements;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    if (block.logits) return copy(x, y, block.rows * in);
    activate(function_, x, y, block.rows * (in / last_axis_), last_axis_);
  }
  void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (block.logits) return copy(dy, dx, block.rows * in);
    activation_gradient(function_, x, y, dy, dx, block.rows * (in / last_axis_), last_axis_);
  }
  ActivationFunction activation() const override { return function_; }

 private:
  ActivationFunction function_;
  std::int64_t last_axis_;
};

class RescalingOp final : public Op {
 public:
  RescalingOp(const Rescaling& layer, std::int64_t elements) : layer_(layer) { in = out = elements; }
  void forward(const float* x, float* y, const Block& block) const override { affine(x, y, block.rows * in, layer_.scale, layer_.offset); }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) affine(dy, dx, block.rows * in, layer_.scale, 0);
  }
  const Rescaling* rescaling() const override { return &layer_; }

 private:
  Rescaling layer_;
};

/// The mask is computed anew in backward: a function of (seed, layer, step, slot, element) needs no memory.
class DropoutOp final : public Op {
 public:
  DropoutOp(const Dropout& layer, std::int64_t elements, std::uint64_t seed, std::uint32_t id)
      : rate_(layer.rate), random_(layer.seed.value_or(seed), RandomPurpose::dropout, id) {
    in = out = elements;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    if (!block.training || rate_ == 0) return copy(x, y, block.rows * in);
    mask(x, y, block);
  }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (!block.training || rate_ == 0) return copy(dy, dx, block.rows * in);
    mask(dy, dx, block);
  }

 private:
  void mask(const float* x, float* y, const Block& block) const {
    const float scale = rate_ < 1 ? 1 / (1 - rate_) : 0;
    const std::int64_t blocks = (in + 3) / 4;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        const PhiloxBlock words =
            random_.block(static_cast<std::uint64_t>(block.step), static_cast<std::uint64_t>((block.first_slot + r) * blocks + b));
        const std::int64_t end = std::min<std::int64_t>(4, in - 4 * b);
        for (std::int64_t e = 0; e < end; ++e) {
          const std::int64_t i = r * in + 4 * b + e;
          y[i] = uniform(words[static_cast<std::size_t>(e)]) >= rate_ ? x[i] * scale : 0;
        }
      }
    }
  }

  float rate_;
  RandomStream random_;
};

LOCKSTEP_CLONES void standardise(const float* x, float* y, std::int64_t rows, std::int64_t width, const float* mean,
                                 const float* deviation) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < width; ++i) y[r * width + i] = (x[r * width + i] - mean[i]) / deviation[i];
  }
}

class NormalizationOp final : public Op {
 public:
  NormalizationOp(const Normalization& layer, const Shape& input) : layer_(layer), index_(statistic_index(layer, input)) {
    in = out = elements(input);
    mean_ = Buffer(in);
    deviation_ = Buffer(in);
    if (!layer.mean.empty()) return;
    Shape kept;
    for (const std::size_t axis : kept_axes(layer, input)) kept.push_back(input[axis]);
    weights_ = {{.name = "mean", .shape = kept, .trainable = false},
                {.name = "variance", .shape = kept, .trainable = false},
                {.name = "count", .shape = {}, .trainable = false}};
  }

  /// Those of the layer, so that adapt() reaches every model that has it.
  std::span<float> values(std::size_t i) override {
    Normalization::Statistics& statistics = *layer_.statistics;
    if (i == 2) return {&statistics.count, 1};
    return i == 0 ? statistics.mean : statistics.variance;
  }

  void prepare(std::int64_t, int) override {
    const bool fixed = !layer_.mean.empty();
    const std::vector<float>& mean = fixed ? layer_.mean : layer_.statistics->mean;
    const std::vector<float>& variance = fixed ? layer_.variance : layer_.statistics->variance;
    for (std::int64_t i = 0; i < in; ++i) {
      const auto of = static_cast<std::size_t>(index_.of_element[static_cast<std::size_t>(i)]);
      mean_.data()[i] = mean[mean.size() == 1 ? 0 : of];
      deviation_.data()[i] = std::max(std::sqrt(variance[variance.size() == 1 ? 0 : of]), kEpsilon);
    }
  }

  void forward(const float* x, float* y, const Block& block) const override {
    if (!layer_.invert) return standardise(x, y, block.rows, in, mean_.data(), deviation_.data());
    for (std::int64_t i = 0; i < block.rows * in; ++i) y[i] = mean_.data()[i % in] + x[i] * deviation_.data()[i % in];
  }

  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for (std::int64_t i = 0; i < block.rows * in; ++i) {
      dx[i] = layer_.invert ? dy[i] * deviation_.data()[i % in] : dy[i] / deviation_.data()[i % in];
    }
  }

 private:
  Normalization layer_;
  StatisticIndex index_;
  Buffer mean_, deviation_;  // (in): the statistics spread over the elements of a sample
};

/// Statistics of a layer that has none yet become 0 and 1. Those that do not fit are an Error.
void check_statistics(const Normalization& layer, const Shape& input) {
  const auto count = static_cast<std::size_t>(statistic_index(layer, input).count);
  const auto fits = [&](std::size_t found) { return found == 1 || found == count; };
  if (layer.mean.size() != layer.variance.size()) {
    throw layer_error(layer, "mean and variance must be given together, with the same length");
  }
  for (const float value : layer.mean) {
    if (!std::isfinite(value)) throw layer_error(layer, "mean must be finite, found " + std::to_string(value));
  }
  for (const float value : layer.variance) {
    if (!(value >= 0) || std::isinf(value)) {
      throw layer_error(layer, "variance must be finite and at least 0, found " + std::to_string(value));
    }
  }
  Normalization::Statistics& statistics = *layer.statistics;
  if (layer.mean.empty() && statistics.mean.empty()) {
    statistics.mean.assign(count, 0);
    statistics.variance.assign(count, 1);
  }
  const std::size_t found = layer.mean.empty() ? statistics.mean.size() : layer.mean.size();
  if (layer.mean.empty() ? found == count : fits(found)) return;
  throw layer_error(layer, "has statistics for " + std::to_string(found) + " values, but its input " + to_string(input, true) + " needs " +
                               std::to_string(count));
}

BuiltLayer same_shape(const LayerSite& site, std::unique_ptr<Op> op) {
  BuiltLayer built{.output = site.input};
  built.ops.push_back(std::move(op));
  return built;
}

}  // namespace

BuiltLayer build(const Input& /*layer*/, const LayerSite& site) { return {.output = site.input}; }
BuiltLayer build(const Flatten& /*layer*/, const LayerSite& site) { return {.output = {elements(site.input)}}; }

BuiltLayer build(const Activation& layer, const LayerSite& site) {
  const std::int64_t last_axis = site.input.empty() ? 1 : site.input.back();
  return same_shape(site, std::make_unique<ActivationOp>(layer.function, elements(site.input), last_axis));
}

BuiltLayer build(const Rescaling& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<RescalingOp>(layer, elements(site.input)));
}

BuiltLayer build(const Dropout& layer, const LayerSite& site) {
  if (!(layer.rate >= 0 && layer.rate <= 1)) {
    throw Error("layer '" + layer.name + "': Dropout rate must lie in [0, 1], found " + std::to_string(layer.rate), kUsage);
  }
  return same_shape(site, std::make_unique<DropoutOp>(layer, elements(site.input), site.seed, static_cast<std::uint32_t>(site.index)));
}

BuiltLayer build(const Normalization& layer, const LayerSite& site) {
  check_statistics(layer, site.input);
  return same_shape(site, std::make_unique<NormalizationOp>(layer, site.input));
}

}  // namespace lockstep
