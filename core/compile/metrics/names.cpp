#include "core/compile/metrics/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cluster/error.h"
#include "core/math/utf8.h"

namespace lockstep {

void check_metric_name(const std::string& name) {
  const auto refuse = [&](const char* why) { throw Error(fmt::format("metric name '{}' {}; give it another name", name, why), kUsage); };
  if (name == "loss") refuse("is that of the loss");
  if (name.starts_with("val_")) refuse("begins with val_, as the values of the validation do");
  if (name.find_first_of(",\"") != std::string::npos) refuse("has a comma or a quote, but is the head of a column in history.csv");
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    refuse("has a control character (a line break?)");
  if (not_utf8(name)) refuse("is not UTF-8");
}

void name_metrics(std::vector<MetricSpec>& metrics) {
  std::set<std::string> names;
  std::stable_partition(metrics.begin(), metrics.end(), [](const MetricSpec& metric) { return !metric.weighted; });
  for (MetricSpec& metric : metrics) {
    if (metric.weighted) {
      if (metric.name.empty()) metric.name = default_name(metric);
      if (names.contains(metric.name)) metric.name = "weighted_" + metric.name;
    }
    if (metric.name.empty()) {
      const std::string base = metric.name = default_name(metric);
      for (int i = 1; !names.insert(metric.name).second; ++i) metric.name = base + "_" + std::to_string(i);
      continue;
    }
    check_metric_name(metric.name);
    if (!names.insert(metric.name).second)
      throw Error(fmt::format("two metrics are named '{}'; give one of them another name", metric.name), kUsage);
  }
}

}  // namespace lockstep
