#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/network/network.h"
#include "core/training/sequential.h"

namespace lockstep {

/// What a Sequential is made of. Internal to core.
struct ModelState {
  std::string name;
  DataNames data_names;
  std::vector<LayerSpec> layers;  // with Input, if the user gave one
  std::uint64_t seed = 0;
  DtypePolicy policy = DtypePolicy::float32;
  Arithmetic arithmetic = Arithmetic::onednn;
  std::optional<CompileOptions> options;
  std::unique_ptr<Network> network;      // once built
  std::unique_ptr<Optimizer> optimizer;  // once built and compiled

  /// The network; an Error (kUsage) of a model without one.
  Network& built() const;
  bool has_input() const { return !layers.empty() && std::holds_alternative<Input>(layers.front()); }
  /// Loss and softmax (or sigmoid) are computed as one from the logits.
  bool fused() const;
  /// Ops that compute by the policy and the arithmetic: in float32 where a rank's CPU has no bfloat16. Collective.
  void choose_ops(const World& world);
  /// Metrics with Accuracy resolved for data of this truth width; checks that loss and metrics fit the shapes (Error, kUsage).
  std::vector<MetricSpec> resolved_metrics(std::int64_t truth_width) const;
  /// Throws an Error (kUsage) unless built for this shape; builds if not built yet.
  void need_input(Sequential& model, const Dataset& data);
};

}  // namespace lockstep
