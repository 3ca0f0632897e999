#include "io/data/row_appender.h"

#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "io/hdf5/handle.h"
#include "io/hdf5/objects.h"
#include "io/hdf5/types.h"

namespace lockstep {
namespace {

using Dims = std::vector<hsize_t>;

constexpr hsize_t kChunkBytes = 1 << 18;

/// The extent of `rows` rows.
Dims extent(hsize_t rows, const std::vector<std::int64_t>& row) {
  Dims dims{rows};
  dims.insert(dims.end(), row.begin(), row.end());
  return dims;
}

Hdf5Handle make(hid_t file, const std::string& place, const std::string& name, const std::vector<std::int64_t>& row, hid_t type) {
  const hsize_t bytes = std::accumulate(row.begin(), row.end(), static_cast<hsize_t>(H5Tget_size(type)), std::multiplies<>());
  const Dims none = extent(0, row), most = extent(H5S_UNLIMITED, row),
             chunk = extent(std::clamp<hsize_t>(kChunkBytes / std::max<hsize_t>(bytes, 1), 1, kChunkBytes), row);
  const int axes = static_cast<int>(none.size());
  const Hdf5Handle space(H5Screate_simple(axes, none.data(), most.data()), H5Sclose);
  const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose), plist(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  H5Pset_obj_track_times(plist.get(), false);  // the same rows make the same file
  H5Pset_chunk(plist.get(), axes, chunk.data());
  Hdf5Handle made(H5Dcreate2(file, name.c_str(), type, space.get(), links.get(), plist.get(), H5P_DEFAULT), H5Dclose);
  hdf5_check(made.get(), place, "cannot create it (is the disk full?)");
  return made;
}

void append(Hdf5File& file, const std::string& name, const std::vector<std::int64_t>& row, hid_t type, hsize_t rows, const void* data) {
  const Hdf5Silence silence(file.path(), "data set", name);
  const std::string place = file.path() + ": data set '" + name + "'";
  const Hdf5Handle object = file.exists(name) ? hdf5_open_object(file.id(), file.path(), name) : make(file.id(), place, name, row, type);
  const Hdf5Handle before(H5Dget_space(object.get()), H5Sclose);
  Dims start = extent(0, row), now = start;
  H5Sget_simple_extent_dims(before.get(), now.data(), nullptr);
  start.assign(start.size(), 0);
  start[0] = now[0];
  now[0] += rows;
  hdf5_check(H5Dset_extent(object.get(), now.data()), place, "cannot grow (is the disk full?)");
  const Hdf5Handle target(H5Dget_space(object.get()), H5Sclose);
  const Dims count = extent(rows, row);
  hdf5_check(H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), place, "cannot select rows");
  const Hdf5Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  hdf5_check(H5Dwrite(object.get(), type, memory.get(), target.get(), H5P_DEFAULT, data), place, "cannot write it (is the disk full?)");
}

}  // namespace

template <class T>
void append_rows(Hdf5File& file, const std::string& dataset, const std::vector<std::int64_t>& row, std::span<const T> values) {
  const Hdf5Handle type = hdf5_memory_type(std::is_same_v<T, float> ? ElementType::f32 : ElementType::i64);
  const std::int64_t width = std::accumulate(row.begin(), row.end(), std::int64_t{1}, std::multiplies<>());
  append(file, dataset, row, type.get(), values.size() / static_cast<std::size_t>(width), values.data());
}
template void append_rows(Hdf5File&, const std::string&, const std::vector<std::int64_t>&, std::span<const float>);
template void append_rows(Hdf5File&, const std::string&, const std::vector<std::int64_t>&, std::span<const std::int64_t>);

void append_texts(Hdf5File& file, const std::string& dataset, std::span<const std::string> texts) {
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  append(file, dataset, {}, type.get(), texts.size(), pointers.data());
}

}  // namespace lockstep
