#include "io/keras/compile_reader.h"

#include "io/keras/arguments.h"
#include "io/keras/settings.h"

namespace lockstep {
namespace {

OptimizerSpec read_optimizer(const KerasArguments& owner, const Json& value) {
  const KerasObject object = keras_object(owner, "optimizer", value);
  OptimizerSpec spec = keras_look_up(owner, "optimizer", [&] { return optimizer_from_name(object.name); });
  KerasArguments arguments(owner.place() + ": optimizer " + object.name, object.config);
  std::visit([&](auto& one) { fields(one, KerasSettingReader(arguments)); }, spec);
  for (const char* unused : {"name", "ema_momentum", "is_legacy_optimizer", "jit_compile"})
    arguments.take(unused);  // say nothing while use_ema is off
  arguments.finish();
  return spec;
}

LossSpec read_loss(const KerasArguments& owner, const Json& value) {
  const KerasObject object = keras_object(owner, "loss", value);
  LossSpec loss = keras_look_up(owner, "loss", [&] { return loss_from_name(object.name); });
  KerasArguments arguments(owner.place() + ": loss " + object.name, object.config);
  arguments.take("name");
  arguments.accept_float32();
  arguments.accept("reduction", "sum_over_batch_size");
  arguments.accept("axis", -1);
  std::visit([&](auto& one) { fields(one, KerasSettingReader(arguments)); }, loss);
  arguments.finish();
  return loss;
}

MetricSpec read_metric(const KerasArguments& owner, const Json& value) {
  const KerasObject object = keras_object(owner, "metrics", value);
  MetricSpec metric = keras_look_up(owner, "metrics", [&] { return metric_from_name(object.name); });
  if (value.is_string()) return metric;
  if (object.name == "Accuracy") {  // compares numbers for equality, unlike the string of that name
    throw Error(owner.place() + ": metric class Accuracy is not known to Lockstep; use the string 'accuracy'", kUsage);
  }
  KerasArguments arguments(owner.place() + ": metric " + object.name, object.config);
  const std::string name = arguments.take_string("name");
  metric.name = name.empty() ? default_name(metric) : name;
  arguments.accept_float32();
  std::visit([&](auto& one) { fields(one, KerasSettingReader(arguments)); }, metric.kind);
  arguments.finish();
  return metric;
}

/// Keras saves `metrics` as given: one, a list, or a list of lists (one per output).
void append_metrics(const KerasArguments& owner, const Json& value, std::vector<MetricSpec>& metrics) {
  if (value.is_null()) return;
  if (!value.is_array()) return metrics.push_back(read_metric(owner, value));
  for (const Json& one : value) append_metrics(owner, one, metrics);
}

}  // namespace

CompileOptions read_compile_config(const std::string& name, const Json& config) {
  KerasArguments arguments(name + ": compile_config", config);
  CompileOptions options;
  const Json optimizer = arguments.take("optimizer"), loss = arguments.take("loss");
  if (!optimizer.is_null()) options.optimizer = read_optimizer(arguments, optimizer);
  if (!loss.is_null()) options.loss = read_loss(arguments, loss.is_array() && loss.size() == 1 ? loss[0] : loss);
  append_metrics(arguments, arguments.take("metrics"), options.metrics);
  for (const char* unused : {"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"})
    arguments.take(unused);  // how Keras computes, not what
  arguments.finish();        // loss_weights and weighted_metrics must be off
  return options;
}

}  // namespace lockstep
