#pragma once
#include <string>
#include <vector>

#include "core/compile/metrics/metrics.h"

namespace lockstep {

/// A metric's name is a key of the logs and a column of history.csv. "loss", "val_...", and names with a comma, a quote, a control
/// character or bytes that are not UTF-8 are an Error (kUsage) that begins with "metric".
void check_metric_name(const std::string& name);

/// Gives metrics without a name that of their class, counted from the second one on; checks the others, of which no two may be equal.
/// Weighted ones come after the others, and whose name is taken gets the prefix "weighted_", as in Keras.
void name_metrics(std::vector<MetricSpec>& metrics);

}  // namespace lockstep
