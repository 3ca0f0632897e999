#include "io/hdf5/written.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>

#include "cluster/error.h"
#include "core/data/dataset.h"
#include "io/hdf5/handle.h"
#include "io/hdf5/objects.h"

namespace lockstep {
namespace {

constexpr std::int64_t kMostLookups = 100'000;  // of chunks behind the first that is missing

/// Whoever gave the data set a fill value of its own says what rows without storage hold; HDF5 then reads that value.
bool filled_by_choice(const Hdf5Handle& plist) {
  H5D_fill_value_t value = H5D_FILL_VALUE_UNDEFINED;
  H5D_fill_time_t time = H5D_FILL_TIME_NEVER;
  return H5Pfill_value_defined(plist.get(), &value) >= 0 && value == H5D_FILL_VALUE_USER_DEFINED &&
         H5Pget_fill_time(plist.get(), &time) >= 0 && time != H5D_FILL_TIME_NEVER;
}

/// What rows [first, last) have in the file.
struct Written {
  std::int64_t elements = 0;  ///< of these rows
  RowRange missing = {};      ///< the first rows that are not there one after the other
  bool more = false;          ///< others are missing behind them
  bool counted = true;        ///< false: too many chunks to look at all of them
};

/// The chunks of a data set as a grid.
class Chunks {
 public:
  explicit Chunks(const ArrayInfo& info) : info_(info) {
    for (std::size_t axis = 0; axis < info.shape.size(); ++axis) {
      counts_.push_back((info.shape[axis] + info.chunk[axis] - 1) / info.chunk[axis]);
    }
  }

  bool all_there(std::int64_t allocated) const {
    double total = 1;  // a product of any size
    for (const std::int64_t count : counts_) total *= static_cast<double>(count);
    return static_cast<double>(allocated) == total;
  }

  /// Looks up every chunk that holds some of the rows. Up to the first that is missing those are no more than there are.
  Written look(const Hdf5Handle& dataset, std::int64_t first, std::int64_t last) const {
    Written found;
    std::int64_t lookups = 0;
    for (std::int64_t row = first / info_.chunk[0]; row * info_.chunk[0] < last; ++row) {
      const RowRange rows{std::max(first, row * info_.chunk[0]), std::min(last, (row + 1) * info_.chunk[0])};
      bool whole = true;
      std::vector<hsize_t> offset(counts_.size(), 0);
      offset[0] = static_cast<hsize_t>(row * info_.chunk[0]);
      do {
        hsize_t bytes = 0;  // of a missing chunk 0 or, in HDF5 1.10, an error; the index as a whole could be read
        const bool there = H5Dget_chunk_storage_size(dataset.get(), offset.data(), &bytes) >= 0 && bytes > 0;
        if (there) found.elements += rows.size() * row_elements(offset);
        whole = whole && there;
        if (!whole || found.missing.size() > 0) ++lookups;
      } while (lookups < kMostLookups && advance(offset));
      found.counted = lookups < kMostLookups;
      if (!whole && found.missing.size() == 0)
        found.missing = rows;
      else if (!whole && found.missing.last == rows.first)
        found.missing.last = rows.last;
      else if (!whole)
        found.more = true;
      if (!found.counted) return found;
    }
    return found;
  }

 private:
  /// Elements of a row that lie in this chunk.
  std::int64_t row_elements(const std::vector<hsize_t>& offset) const {
    std::int64_t product = 1;
    for (std::size_t axis = 1; axis < offset.size(); ++axis) {
      product *= std::min(info_.chunk[axis], info_.shape[axis] - static_cast<std::int64_t>(offset[axis]));
    }
    return product;
  }

  /// To the next chunk of the same rows; false behind the last.
  bool advance(std::vector<hsize_t>& offset) const {
    for (std::size_t axis = offset.size(); axis-- > 1;) {
      offset[axis] += static_cast<hsize_t>(info_.chunk[axis]);
      if (offset[axis] < static_cast<hsize_t>(info_.shape[axis])) return true;
      offset[axis] = 0;
    }
    return false;
  }

  const ArrayInfo& info_;
  std::vector<std::int64_t> counts_;
};

std::string missing_text(const Written& found) {
  if (!found.counted) return fmt::format("row {} is the first that is missing", found.missing.first);
  if (found.missing.size() == 1) return fmt::format("row {} is missing{}", found.missing.first, found.more ? ", and others" : "");
  return fmt::format("rows {} to {} are missing{}", found.missing.first, found.missing.last - 1, found.more ? ", and others" : "");
}

}  // namespace

void expect_written(const Hdf5File& file, const ArrayInfo& info, std::int64_t first, std::int64_t last) {
  if (info.layout == StorageLayout::compact || info.file_offset >= 0 || first >= last || info.row_elements() == 0) return;
  Hdf5Silence silence(file.path(), "the storage of data set", info.name);
  const Hdf5Handle dataset = hdf5_open_object(file.id(), file.path(), info.name);
  if (filled_by_choice(Hdf5Handle(H5Dget_create_plist(dataset.get()), H5Pclose))) return;
  Written found{.missing = {first, last}};
  if (info.layout == StorageLayout::chunked) {
    const Chunks chunks(info);
    const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
    hsize_t allocated = 0;
    hdf5_check(H5Dget_num_chunks(dataset.get(), space.get(), &allocated), file.path() + ": data set '" + info.name + "'",
               "cannot count its chunks; the file may be damaged");
    if (chunks.all_there(static_cast<std::int64_t>(allocated))) return;
    found = chunks.look(dataset, first, last);
    if (found.missing.size() == 0) return;
  }
  const std::int64_t bytes = type_bytes(info.type), needed = (last - first) * info.row_bytes();
  throw Error(
      fmt::format("{}: {} {} bytes of {} were ever written ({}): the program that wrote the file did not finish. Write it again, or "
                  "use only rows that are there; if rows are left out on purpose, create the data set with a fill value",
                  file.path(), found.counted ? fmt::format("only {} of", found.elements * bytes) : "not all of the", needed, info.name,
                  missing_text(found)));
}

}  // namespace lockstep
