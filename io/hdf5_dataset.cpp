#include "io/hdf5_dataset.h"

#include "cluster/error.h"
#include "io/hdf5_arrays.h"

namespace lockstep {

Hdf5Dataset::Hdf5Dataset(const std::filesystem::path& file, const std::string& group, Hdf5Options options)
    : arrays_(describe_arrays(file.string(), group, options)), rows_(options.rows), memory_budget_(options.memory_budget) {
  const std::int64_t rows = arrays_->arrays.features.rows;
  if (rows_.last == -1 || (rows_.first == 0 && rows_.last == 0)) rows_.last = rows;
  if (rows_.first < 0 || rows_.first >= rows_.last || rows_.last > rows) {
    throw Error(arrays_->pattern + ": data set '" + arrays_->group + "/" + options.features + "': expected rows within 0 to " + std::to_string(rows) +
                    " (end excluded) and at least one, found rows " + std::to_string(rows_.first) + " to " + std::to_string(rows_.last),
                kUsage);
  }
  if (memory_budget_ < 0) throw Error("memory_budget must not be negative, found " + std::to_string(memory_budget_), kUsage);
}

Shape Hdf5Dataset::sample_shape() const { return arrays_->sample_shape; }
std::int64_t Hdf5Dataset::truth_width() const { return arrays_->arrays.truth ? arrays_->arrays.truth->width : 0; }
std::int64_t Hdf5Dataset::element_bytes() const { return type_bytes(arrays_->arrays.features.type); }

std::string Hdf5Dataset::element_type() const { return std::string(type_name(arrays_->arrays.features.type)); }
const std::vector<std::string>& Hdf5Dataset::files() const { return arrays_->files; }
std::int64_t Hdf5Dataset::row_bytes() const { return arrays_->arrays.row_bytes(); }
const std::vector<std::string>& Hdf5Dataset::class_names() const { return arrays_->names.class_names; }

std::string Hdf5Dataset::description() const {
  const bool all = rows_.first == 0 && rows_.last == arrays_->arrays.features.rows;
  return arrays_->pattern + ": " + (arrays_->group.empty() ? "/" : arrays_->group) +
         (all ? "" : " rows " + std::to_string(rows_.first) + " to " + std::to_string(rows_.last));
}

std::unique_ptr<RowReader> Hdf5Dataset::open(std::vector<RowRange> ranges) const {
  std::int64_t end = 0;
  for (const RowRange& range : ranges) {
    if (range.first < end || range.last < range.first || range.last > rows()) {
      throw Error(description() + ": rows " + std::to_string(range.first) + " to " + std::to_string(range.last) +
                      " cannot be opened: ranges must be sorted, apart and within its " + std::to_string(rows()) + " rows",
                  kUsage);
    }
    end = range.last;
  }
  return make_hdf5_reader(arrays_, std::move(ranges), rows_.first, memory_budget_);
}

}  // namespace lockstep
