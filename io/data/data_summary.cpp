#include "io/data/data_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "core/network/memory_need.h"
#include "io/hdf5/written.h"

namespace lockstep {
namespace {

constexpr std::int64_t kBlockElements = 1 << 20;
constexpr std::int64_t kMaxClasses = 100'000;

/// Calls visit(first row, values) for consecutive blocks of rows.
template <class T, class Visit>
void for_each_block(const Hdf5File& file, const ArrayInfo& info, Visit visit) {
  expect_written(file, info, 0, info.rows());
  const std::int64_t width = std::max<std::int64_t>(info.row_elements(), 1), block = std::max<std::int64_t>(kBlockElements / width, 1);
  std::vector<T> values;
  for (std::int64_t lo = 0; lo < info.rows(); lo += block) {
    const std::int64_t hi = std::min(lo + block, info.rows());
    values.resize(static_cast<std::size_t>((hi - lo) * info.row_elements()));
    file.read_rows<T>(info.name, lo, hi, values);
    visit(lo, values);
  }
}

/// Welford's update: no cancellation where the mean is large against the spread.
void add_value(ColumnStats& s, double value) {
  if (!std::isfinite(value)) {
    ++s.missing;
    return;
  }
  s.min = s.values == 0 ? value : std::min(s.min, value);
  s.max = s.values == 0 ? value : std::max(s.max, value);
  ++s.values;
  const double delta = value - s.mean;
  s.mean += delta / static_cast<double>(s.values);
  s.std += delta * (value - s.mean);  // sum of squares until the end
}

}  // namespace

std::vector<ColumnStats> column_stats(const Hdf5File& file, const std::string& dataset) {
  const ArrayInfo info = file.info(dataset);
  if (info.shape.empty() || info.shape.size() > 2) {
    throw Error(fmt::format("{}: data set '{}' of shape ({}) is no table", file.path(), dataset, fmt::join(info.shape, ", ")));
  }
  const auto width = static_cast<std::size_t>(info.row_elements());
  constexpr double kColumn = sizeof(ColumnStats) + 512;  // bytes, with the cells of its line in a table
  expect_memory(static_cast<double>(width) * kColumn,
                fmt::format("{}: a table of the {} columns of data set '{}'", file.path(), width, dataset), "Look at it with h5dump");
  std::vector<ColumnStats> stats(width);
  for_each_block<double>(file, info, [&](std::int64_t, const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) add_value(stats[i % width], values[i]);
  });
  for (ColumnStats& s : stats) s.std = s.values > 0 ? std::sqrt(s.std / static_cast<double>(s.values)) : 0;
  return stats;
}

std::vector<std::int64_t> label_histogram(const Hdf5File& file, const std::string& dataset) {
  const ArrayInfo info = file.info(dataset);
  if (info.row_elements() != 1)
    throw Error(fmt::format("{}: data set '{}' has more than one value per row; no labels", file.path(), dataset));
  std::vector<std::int64_t> counts;
  for_each_block<std::int64_t>(file, info, [&](std::int64_t lo, const std::vector<std::int64_t>& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int64_t label = labels[i];
      if (label < 0 || label >= kMaxClasses) {
        throw Error(fmt::format("{}: data set '{}', row {}: {} is no class index (expected 0 to {})", file.path(), dataset,
                                lo + static_cast<std::int64_t>(i), label, kMaxClasses - 1));
      }
      if (label >= static_cast<std::int64_t>(counts.size())) counts.resize(static_cast<std::size_t>(label) + 1);
      ++counts[static_cast<std::size_t>(label)];
    }
  });
  return counts;
}

}  // namespace lockstep
