#include "io/hdf5/dataset.h"

#include <algorithm>

#include "cluster/error.h"
#include "io/hdf5/arrays.h"
#include "io/hdf5/readers.h"

namespace lockstep {

Hdf5Dataset::Hdf5Dataset(const std::filesystem::path& file, const std::string& group, Hdf5Options options)
    : arrays_(describe_arrays(file.string(), group, options)), rows_(options.rows), memory_budget_(options.memory_budget) {
  const std::int64_t rows = arrays_->arrays.features.rows;
  if (rows_.last == -1 || (rows_.first == 0 && rows_.last == 0)) rows_.last = rows;
  if (rows_.first < 0 || rows_.first >= rows_.last || rows_.last > rows) {
    throw Error(arrays_->pattern + ": data set '" + arrays_->arrays.features.parts.front().info.name + "': expected rows within 0 to " +
                    std::to_string(rows) + " (end excluded) and at least one, found rows " + std::to_string(rows_.first) + " to " +
                    std::to_string(rows_.last),
                kUsage);
  }
  expect_readable(arrays_->arrays, rows_);
  if (memory_budget_ < 0) throw Error("memory_budget must not be negative, found " + std::to_string(memory_budget_), kUsage);
}

Shape Hdf5Dataset::sample_shape() const { return arrays_->sample_shape; }
std::int64_t Hdf5Dataset::truth_width() const { return arrays_->arrays.truth ? arrays_->arrays.truth->width : 0; }
std::int64_t Hdf5Dataset::element_bytes() const { return type_bytes(arrays_->arrays.features.type); }

std::string Hdf5Dataset::element_type() const { return std::string(type_name(arrays_->arrays.features.type)); }
const std::vector<std::string>& Hdf5Dataset::files() const { return arrays_->files; }
std::int64_t Hdf5Dataset::row_bytes() const { return arrays_->arrays.row_bytes(); }
std::string Hdf5Dataset::weights() const { return arrays_->arrays.weight ? arrays_->arrays.weight->parts.front().info.name : ""; }
const std::vector<std::string>& Hdf5Dataset::class_names() const { return arrays_->names.class_names; }
const DataNames& Hdf5Dataset::names() const { return arrays_->names; }
const std::vector<std::string>& Hdf5Dataset::notes() const { return arrays_->notes; }

std::string Hdf5Dataset::description() const {
  const bool all = rows_.first == 0 && rows_.last == arrays_->arrays.features.rows;
  return arrays_->pattern + ": " + (arrays_->group.empty() ? "/" : arrays_->group) +
         (all ? "" : " rows " + std::to_string(rows_.first) + " to " + std::to_string(rows_.last));
}

std::string Hdf5Dataset::where(std::int64_t row, RowPart part) const {
  const RowArrays& arrays = arrays_->arrays;
  const std::optional<RowArray>& beside = part == RowPart::truth ? arrays.truth : arrays.weight;
  return (part != RowPart::features && beside ? *beside : arrays.features).where(row + rows_.first);
}

void Hdf5Dataset::each_truth(RowRange rows, const TruthVisitor& visit) const {
  constexpr std::int64_t kBytes = std::int64_t{8} << 20;  // of a block; a compressed chunk is decoded once for each that has a part of it
  const RowArrays& arrays = arrays_->arrays;
  const std::int64_t width = truth_width(), row_bytes = arrays.row_bytes() - arrays.features.row_bytes();
  const std::int64_t block =
      std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(1, row_bytes), 1, std::max<std::int64_t>(1, rows.size()));
  std::vector<float> truth(static_cast<std::size_t>(block * width)), weight(static_cast<std::size_t>(block), 1.F);
  const auto read = [&](const RowArray& array, std::int64_t first, std::int64_t count, std::vector<float>& out) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(count * array.row_bytes()));
    RowFile(array).read(first, first + count, bytes.data());
    to_float(array.type)(bytes.data(), out.data(), count * array.width);
  };
  for (std::int64_t first = rows.first; first < rows.last; first += block) {
    const std::int64_t count = std::min(block, rows.last - first);
    if (arrays.truth) read(*arrays.truth, first + rows_.first, count, truth);
    if (arrays.weight) read(*arrays.weight, first + rows_.first, count, weight);
    visit(first, std::span(truth).first(static_cast<std::size_t>(count * width)), std::span(weight).first(static_cast<std::size_t>(count)));
  }
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
