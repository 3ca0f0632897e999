#include "io/keras/compile_reader.h"

#include "core/compile/metrics/names.h"
#include "io/keras/arguments.h"
#include "io/keras/settings.h"

namespace lockstep {
namespace {

constexpr std::string_view kCustom = "Custom>";  // Keras 2 writes its own optimizers so

OptimizerSpec read_optimizer(const KerasArguments& owner, const Json& value) {
  KerasObject object = keras_object(owner, "optimizer", value);
  if (object.name == "LossScaleOptimizer")  // around the optimizer of a mixed_float16 model
    return read_optimizer(owner, object.config["inner_optimizer"]);
  if (object.name.starts_with(kCustom)) object.name.erase(0, kCustom.size());
  OptimizerSpec spec = keras_look_up(owner, "optimizer", [&] { return optimizer_from_name(object.name); });
  KerasArguments arguments(owner.place() + ": optimizer " + object.name, object.config);
  std::visit([&](auto& one) { fields(one, KerasSettingReader(arguments)); }, spec);
  arguments.accept("decay", 0);  // of Keras 2 before 2.11
  for (const char* unused : {"name", "is_legacy_optimizer", "jit_compile"}) arguments.take(unused);
  arguments.finish();
  return spec;
}

LossSpec read_loss(const KerasArguments& owner, const Json& value, Reduction& reduction) {
  const KerasObject object = keras_object(owner, "loss", value);
  LossSpec loss = keras_look_up(owner, "loss", [&] { return loss_from_name(object.name); });
  KerasArguments arguments(owner.place() + ": loss " + object.name, object.config);
  for (const char* unused : {"name", "fn"}) arguments.take(unused);  // Keras 2 names the function of a class of its own
  arguments.accept_float32();
  if (const Json& none = object.config["reduction"]; object.config.contains("reduction") && (none.is_null() || none == "none"))
    arguments.fail("reduction", "sum_over_batch_size, sum or mean_with_sample_weight", none);  // there is no one loss to go down
  if (const std::string word = arguments.take_string("reduction"); !word.empty() && word != "auto")
    reduction = keras_look_up(arguments, "reduction", [&] { return choice_of<Reduction>(word); });
  std::visit([&](auto& one) { fields(one, KerasSettingReader(arguments)); }, loss);
  arguments.accept("axis", -1);
  arguments.finish();
  return loss;
}

MetricSpec read_metric(const KerasArguments& owner, const Json& value) {
  KerasObject object = keras_object(owner, "metrics", value);
  if (object.name == "MeanMetricWrapper" && object.config["fn"].is_string())
    object.name = object.config["fn"].get<std::string>();  // Keras 2
  MetricSpec metric = keras_look_up(owner, "metrics", [&] { return metric_from_name(object.name); });
  if (value.is_string()) return metric;
  if (object.name == "Accuracy") {  // compares numbers for equality, unlike the string of that name
    throw Error(owner.place() + ": metric class Accuracy is not known to Lockstep; use the string 'accuracy'", kUsage);
  }
  KerasArguments arguments(owner.place() + ": metric " + object.name, object.config);
  arguments.take("fn");
  const std::string name = arguments.take_string("name");
  metric.name = name.empty() ? default_name(metric) : name;
  std::visit(
      [&]<class Kind>(Kind& one) {
        if constexpr (std::is_base_of_v<IouClasses, Kind>) {
          if (const std::string dtype = arguments.take_string("dtype"); !dtype.empty() && !dtype.starts_with("int"))
            arguments.fail("dtype", "int, which cuts weights to whole numbers", dtype);
        } else {
          arguments.accept_float32();
        }
        if (std::is_same_v<Kind, R2Score> && object.config.contains("class_aggregation") && object.config["class_aggregation"].is_null())
          arguments.fail("class_aggregation", "uniform_average or variance_weighted_average, as a metric is one number", Json());
        fields(one, KerasSettingReader(arguments));
      },
      metric.kind);
  arguments.accept("axis", -1);
  arguments.finish();
  return metric;
}

/// What is given for the one output of a model: {"output": value} and [value] are value.
const Json& of_output(const Json& value) {
  if (value.is_array() && value.size() == 1) return of_output(value[0]);
  const bool by_name = value.is_object() && value.size() == 1 && !value.contains("class_name");
  return by_name ? of_output(value.members()[0].value) : value;
}

/// Keras saves `metrics` as given: one, a list, or a list of lists or a mapping (one per output).
void append_metrics(const KerasArguments& owner, const Json& value, bool is_weighted, std::vector<MetricSpec>& metrics) {
  if (value.is_null()) return;
  if (value.is_object() && !value.contains("class_name")) {
    if (value.size() != 1) owner.fail("metrics", "those of one output", value);
    return append_metrics(owner, value.members()[0].value, is_weighted, metrics);
  }
  if (!value.is_array()) {
    metrics.push_back(read_metric(owner, value));
    metrics.back().weighted = is_weighted;
    return;
  }
  for (const Json& one : value) append_metrics(owner, one, is_weighted, metrics);
}

}  // namespace

CompileConfig read_compile_config(const std::string& name, const Json& config) {
  KerasArguments arguments(name + ": compile_config", config);
  CompileConfig compile{.given = true};
  const auto part = [&](std::string& flaw, const auto& read) {
    try {
      read();
    } catch (const Error& error) {
      flaw = error.what();
      if (!flaw.starts_with(arguments.place())) flaw = arguments.place() + ": " + flaw;
    }
  };
  const Json optimizer = arguments.take("optimizer"), loss = arguments.take("loss"), metrics = arguments.take("metrics"),
             weighted_metrics = arguments.take("weighted_metrics");
  part(compile.optimizer_flaw, [&] {
    if (optimizer.is_null()) return;
    compile.options.optimizer = read_optimizer(arguments, optimizer);
    check(compile.options.optimizer);
  });
  part(compile.loss_flaw, [&] {
    if (loss.is_null()) throw Error("the model was compiled without a loss");
    compile.options.loss = read_loss(arguments, of_output(loss), compile.options.reduction);
    for (const char* unused : {"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"})
      arguments.take(unused);  // how Keras computes, not what
    arguments.finish();        // loss_weights must be off
  });
  part(compile.metrics_flaw, [&] {
    append_metrics(arguments, metrics, false, compile.options.metrics);
    append_metrics(arguments, weighted_metrics, true, compile.options.metrics);
    std::vector<MetricSpec> named = compile.options.metrics;
    name_metrics(named);
  });
  return compile;
}

}  // namespace lockstep
