#include "io/import/hdf5.h"

#include <cstring>
#include <numeric>

#include "core/network/memory_need.h"
#include "io/data/data_file.h"
#include "io/hdf5/arrays.h"
#include "io/run/table.h"

namespace lockstep {
namespace {

/// Rows of one array by the splits, in their own type.
void write_rows(Hdf5File& file, const RowArray& array, RowRange range, const Shape& sample, const std::string& name,
                const std::vector<Split>& splits, const std::vector<std::int64_t>& order) {
  const auto bytes = static_cast<std::size_t>(array.row_bytes());
  expect_memory(2 * static_cast<double>(range.size()) * static_cast<double>(bytes), array.parts.front().path,
                "Train on the file as it is: data.transpose, data.first_label and lists in features do the same");
  std::vector<std::byte> rows(static_cast<std::size_t>(range.size()) * bytes), part;
  RowFile reader(array);
  reader.read(range.first, range.last, rows.data());
  reader.expect_unchanged();
  auto next = order.begin();
  for (const Split& split : splits) {
    part.resize(static_cast<std::size_t>(split.rows) * bytes);
    for (std::size_t i = 0; i < static_cast<std::size_t>(split.rows); ++i)
      std::memcpy(part.data() + i * bytes, rows.data() + static_cast<std::size_t>(*next++) * bytes, bytes);
    Shape shape{split.rows};
    shape.insert(shape.end(), sample.begin(), sample.end());
    file.write_raw("/" + split.name + "/" + name, shape, array.type, part);
  }
}

}  // namespace

void import_hdf5(Hdf5File& file, const Hdf5Dataset& data, const std::string& split, std::uint64_t seed) {
  const std::vector<Split> splits = parse_split(split.empty() ? "train=1" : split, data.rows());
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.rows()));
  std::iota(order.begin(), order.end(), 0);
  if (!split.empty()) order = shuffled_rows(data.rows(), seed);
  const RowArrays& arrays = data.arrays().arrays;
  const auto columns = [](const RowArray& array) { return array.width == 1 ? Shape{} : Shape{array.width}; };
  write_rows(file, arrays.features, data.range(), data.sample_shape(), "x", splits, order);
  if (arrays.truth) write_rows(file, *arrays.truth, data.range(), columns(*arrays.truth), "y", splits, order);
  if (arrays.weight) write_rows(file, *arrays.weight, data.range(), {}, "weight", splits, order);
  write_names(file, data.names());
}

}  // namespace lockstep
