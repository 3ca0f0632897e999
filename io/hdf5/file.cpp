#include "io/hdf5/file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "cluster/error.h"
#include "cluster/regular_file.h"
#include "core/network/memory_need.h"
#include "io/hdf5/handle.h"
#include "io/hdf5/objects.h"
#include "io/hdf5/types.h"

namespace lockstep {
namespace {

static_assert(sizeof(hsize_t) == sizeof(std::int64_t));

constexpr std::string_view kNotInstalled = " (not installed here)";
constexpr double kLargeChunk = 64 << 20;  // bytes; smaller ones are not worth a look at the memory there is

std::string where(const std::string& path, const std::string& dataset) { return path + ": data set '" + dataset + "'"; }

std::vector<std::int64_t> extent(const Hdf5Handle& dataset) {
  Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  const int axes = H5Sget_simple_extent_ndims(space.get());
  if (axes <= 0) return {};
  std::vector<hsize_t> dims(static_cast<std::size_t>(axes));
  H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  return {dims.begin(), dims.end()};
}

std::vector<std::string> filter_names(const Hdf5Handle& plist) {
  std::vector<std::string> names;
  const int count = H5Pget_nfilters(plist.get());
  for (int i = 0; i < count; ++i) {
    std::array<char, 128> name{};
    std::array<unsigned, 16> values{};
    std::size_t value_count = values.size();
    unsigned flags = 0, config = 0;
    const H5Z_filter_t id =
        H5Pget_filter2(plist.get(), static_cast<unsigned>(i), &flags, &value_count, values.data(), name.size(), name.data(), &config);
    if (id == H5Z_FILTER_DEFLATE)
      names.push_back("gzip(" + std::to_string(values[0]) + ")");
    else if (id == H5Z_FILTER_SHUFFLE)
      names.emplace_back("shuffle");
    else if (id == H5Z_FILTER_FLETCHER32)
      names.emplace_back("fletcher32");
    else
      names.emplace_back(name[0] != '\0' ? std::string(name.data()) : "filter " + std::to_string(id));
    if (H5Zfilter_avail(id) <= 0) names.back() += kNotInstalled;
  }
  return names;
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

/// Sizes are worked out with 64-bit numbers wherever a shape is used.
void expect_countable(const ArrayInfo& info, const std::string& place) {
  std::int64_t bytes = std::max<std::int64_t>(1, type_bytes(info.type));
  for (const std::int64_t axis : info.shape) {
    if (axis < 0 || __builtin_mul_overflow(bytes, std::max<std::int64_t>(1, axis), &bytes)) {
      throw Error(place + ": shape " + shape_text(info.shape) + " is beyond any memory; the file may be damaged");
    }
  }
}

/// Opens a data set whose bytes are all in this file: data elsewhere could change or vanish behind the back of a job.
Hdf5Handle open_dataset(hid_t file, const std::string& path, const std::string& name) {
  Hdf5Handle object = hdf5_open_object(file, path, name);
  if (H5Iget_type(object.get()) != H5I_DATASET) throw Error(path + ": '" + name + "' is a group, not a data set");
  Hdf5Handle plist(H5Dget_create_plist(object.get()), H5Pclose);
  if (H5Pget_layout(plist.get()) == H5D_VIRTUAL) {
    throw Error(where(path, name) + " is virtual (made of other files); name those files instead, or copy it into a plain data set");
  }
  if (H5Pget_external_count(plist.get()) > 0) {
    throw Error(where(path, name) + " keeps its numbers in an external file; copy it into a plain data set (h5repack)");
  }
  return object;
}

/// HDF5 would only say that it cannot read.
void expect_filters(const std::string& path, const ArrayInfo& info, const std::string& place) {
  for (const std::string& filter : info.filters) {
    if (!filter.ends_with(kNotInstalled)) continue;
    throw Error(
        fmt::format("{}: is compressed with the filter {}, which this machine's HDF5 does not have. Either install its plugin "
                    "(package hdf5-filter-plugin, or python3 -m pip install hdf5plugin) and set HDF5_PLUGIN_PATH to its folder on every "
                    "host; or, where it is installed: h5repack -f {}:GZIP=1 {} NEW_FILE",
                    place, filter.substr(0, filter.size() - kNotInstalled.size()), info.name, path));
  }
}

/// HDF5 takes a compressed chunk's whole memory, and up to twice of it while it unpacks, however small it is in the file.
void expect_room_for_chunk(const ArrayInfo& info, const std::string& place) {
  if (info.filters.empty()) return;
  double bytes = 2 * static_cast<double>(type_bytes(info.type));
  for (const std::int64_t axis : info.chunk) bytes *= static_cast<double>(axis);
  if (bytes < kLargeChunk) return;
  expect_memory(bytes, fmt::format("{}: a chunk of shape ({})", place, fmt::join(info.chunk, ", ")),
                "Make its chunks smaller: h5repack -l " + info.name + ":CHUNK=...");
}

/// Reads rows [lo, hi) as `target`; `capacity` is the caller's room in elements.
void read_block(hid_t file, const std::string& path, const ArrayInfo& info, std::int64_t lo, std::int64_t hi, ElementType target,
                std::size_t capacity, void* out) {
  const std::string place = where(path, info.name);
  if (info.type == ElementType::other) throw Error(place + " holds neither integers nor IEEE floats (float16, float32, float64)");
  if (info.shape.empty()) throw Error(place + " is a single value; expected an array whose first axis is rows");
  if (lo < 0 || hi < lo || hi > info.rows()) {
    throw Error(place + " has rows 0 to " + std::to_string(info.rows()) + " (end excluded); asked for " + std::to_string(lo) + " to " +
                std::to_string(hi));
  }
  if (capacity != static_cast<std::size_t>((hi - lo) * info.row_elements())) {
    throw Error(place + ": " + std::to_string(hi - lo) + " rows of shape " + shape_text(info.shape) + " do not fit a buffer of " +
                std::to_string(capacity) + " elements");
  }
  if (capacity == 0) return;
  expect_filters(path, info, place);
  expect_room_for_chunk(info, place);
  Hdf5Handle dataset = open_dataset(file, path, info.name);
  Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  std::vector<hsize_t> start(info.shape.size(), 0), count(info.shape.begin(), info.shape.end());
  start[0] = static_cast<hsize_t>(lo);
  count[0] = static_cast<hsize_t>(hi - lo);
  hdf5_check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), place, "cannot select rows");
  const hsize_t elements = capacity;
  Hdf5Handle memory(H5Screate_simple(1, &elements, nullptr), H5Sclose);
  Hdf5Handle type = hdf5_memory_type(target);
  std::memset(out, 0, capacity * static_cast<std::size_t>(type_bytes(target)));  // HDF5 may leave out what the file does not have
  hdf5_check(H5Dread(dataset.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, out), place,
             "cannot read rows " + std::to_string(lo) + " to " + std::to_string(hi) + "; the file may be damaged or cut short");
}

/// What H5Fopen or H5Fcreate returned, and HDF5's message.
struct Opened {
  hid_t id;
  std::string message;

  bool locked_out() const { return id < 0 && message.find("unable to lock file") != std::string::npos; }
  bool held_elsewhere() const { return locked_out() && message.find(fmt::format("errno = {},", EWOULDBLOCK)) != std::string::npos; }
};

/// Opens with HDF5's locks, or without them where the file system has none (Lustre, some NFS).
template <class Open>
Opened open_locked(const Open& open) {
  Opened opened{-1, ""};
  for (const bool locks : {true, false}) {
    Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(access.get(), locks, true);
    opened.id = open(access.get());
    if (opened.id < 0) opened.message = hdf5_message();  // before the next call clears it
    if (!opened.locked_out() || opened.held_elsewhere()) break;
  }
  return opened;
}

[[noreturn]] void refuse_value(const std::string& place, std::int64_t row, const std::string& value) {
  throw Error(place + ", row " + std::to_string(row) + ": expected a whole number of 64 bits, found " + value);
}

}  // namespace

std::int64_t ArrayInfo::row_elements() const {
  std::int64_t product = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) product *= shape[axis];
  return product;
}

Hdf5File Hdf5File::open(const std::string& path) {
  expect_regular_file(path);
  Hdf5Silence silence(path);
  const Opened opened = open_locked([&](hid_t access) { return H5Fopen(path.c_str(), H5F_ACC_RDONLY, access); });
  if (opened.held_elsewhere()) {
    throw Error(path +
                ": another process has it open for writing and has locked it; let that process "
                "close it, or, where nobody writes it: export HDF5_USE_FILE_LOCKING=FALSE");
  }
  if (opened.id < 0) {
    if (H5Fis_hdf5(path.c_str()) == 0) throw Error(path + ": not an HDF5 file (make one with 'lockstep data import')");
    throw Error(path + ": cannot open it" + opened.message);
  }
  return Hdf5File(path, opened.id);
}

Hdf5File Hdf5File::create(const std::string& path) {
  Hdf5Silence silence(path);
  const Opened opened = open_locked([&](hid_t access) { return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access); });
  if (opened.id < 0) throw Error(path + ": cannot create it" + opened.message);
  return Hdf5File(path, opened.id);
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept : path_(std::move(other.path_)), id_(std::exchange(other.id_, -1)) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(id_, other.id_);
  return *this;
}

Hdf5File::~Hdf5File() {
  Hdf5Silence silence(path_);
  if (id_ >= 0) H5Fclose(id_);
}

void Hdf5File::close() {
  Hdf5Silence silence(path_);
  const hid_t id = std::exchange(id_, -1);
  if (id >= 0) hdf5_check(H5Fclose(id), path_, "cannot finish writing it (is the disk full?)");
}

int Hdf5File::descriptor() const {
  Hdf5Silence silence(path_);
  void* handle = nullptr;  // of the driver for files on disk: the address of its descriptor
  hdf5_check(H5Fget_vfd_handle(id_, H5P_DEFAULT, &handle), path_, "has no descriptor");
  return *static_cast<const int*>(handle);
}

std::vector<std::string> Hdf5File::groups() const { return hdf5_objects(id_, path_, Hdf5Kind::group); }
std::vector<std::string> Hdf5File::datasets() const { return hdf5_objects(id_, path_, Hdf5Kind::dataset); }

bool Hdf5File::exists(const std::string& name) const {
  Hdf5Silence silence(path_, "the link", name);
  return hdf5_has_object(id_, name);
}

ArrayInfo Hdf5File::info(const std::string& dataset) const {
  Hdf5Silence silence(path_, "the description of data set", dataset);
  Hdf5Handle object = open_dataset(id_, path_, dataset);
  Hdf5Handle plist(H5Dget_create_plist(object.get()), H5Pclose);
  const Hdf5Type type = hdf5_classify(Hdf5Handle(H5Dget_type(object.get()), H5Tclose));
  ArrayInfo info;
  info.name = dataset;
  info.shape = extent(object);
  info.type = type.type;
  expect_countable(info, where(path_, dataset));
  info.native_order = type.native_order;
  info.storage_bytes = static_cast<std::int64_t>(H5Dget_storage_size(object.get()));
  const H5D_layout_t layout = H5Pget_layout(plist.get());
  if (layout == H5D_COMPACT) info.layout = StorageLayout::compact;
  if (layout == H5D_CONTIGUOUS) {
    const haddr_t offset = H5Dget_offset(object.get());
    if (offset != HADDR_UNDEF) info.file_offset = static_cast<std::int64_t>(offset);
    hsize_t size = 0;
    const auto bytes = static_cast<hsize_t>(info.rows() * info.row_bytes());
    if (info.file_offset >= 0 && !info.shape.empty() && H5Fget_filesize(id_, &size) >= 0 && (offset > size || bytes > size - offset)) {
      throw Error(where(path_, dataset) +
                  fmt::format(": shape {} needs {} bytes from byte {} on, but the file has {}; it is damaged or cut short: copy it again",
                              shape_text(info.shape), bytes, offset, size));
    }
  }
  if (layout == H5D_CHUNKED) {
    info.layout = StorageLayout::chunked;
    std::vector<hsize_t> chunk(info.shape.size());
    H5Pget_chunk(plist.get(), static_cast<int>(chunk.size()), chunk.data());
    info.chunk.assign(chunk.begin(), chunk.end());
    info.filters = filter_names(plist);
  }
  return info;
}

template <class T>
void Hdf5File::read_rows(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<T> out) const {
  Hdf5Silence silence(path_, "data set", dataset);
  const ArrayInfo array = info(dataset);
  const std::int64_t width = array.row_elements();
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (is_floating(array.type)) {
      std::vector<double> values(out.size());
      read_rows<double>(dataset, lo, hi, values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const bool whole = values[i] == std::floor(values[i]) && std::abs(values[i]) < 0x1p63;
        if (!whole) refuse_value(where(path_, dataset), lo + static_cast<std::int64_t>(i) / width, std::to_string(values[i]));
        out[i] = static_cast<std::int64_t>(values[i]);
      }
      return;
    }
    if (array.type == ElementType::u64) {
      read_block(id_, path_, array, lo, hi, ElementType::u64, out.size(), out.data());
      const auto negative = std::find_if(out.begin(), out.end(), [](std::int64_t value) { return value < 0; });
      if (negative == out.end()) return;
      refuse_value(where(path_, dataset), lo + (negative - out.begin()) / width, std::to_string(static_cast<std::uint64_t>(*negative)));
    }
    read_block(id_, path_, array, lo, hi, ElementType::i64, out.size(), out.data());
  } else {
    read_block(id_, path_, array, lo, hi, sizeof(T) == 4 ? ElementType::f32 : ElementType::f64, out.size(), out.data());
  }
}
template void Hdf5File::read_rows(const std::string&, std::int64_t, std::int64_t, std::span<float>) const;
template void Hdf5File::read_rows(const std::string&, std::int64_t, std::int64_t, std::span<double>) const;
template void Hdf5File::read_rows(const std::string&, std::int64_t, std::int64_t, std::span<std::int64_t>) const;

void Hdf5File::read_raw(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<std::byte> out) const {
  Hdf5Silence silence(path_, "data set", dataset);
  const ArrayInfo array = info(dataset);
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(type_bytes(array.type), 1));
  if (out.size() % bytes != 0)
    throw Error(where(path_, dataset) + ": a buffer of " + std::to_string(out.size()) + " bytes holds no whole elements");
  read_block(id_, path_, array, lo, hi, array.type, out.size() / bytes, out.data());
}

double Hdf5File::read_scalar(const std::string& dataset) const {
  Hdf5Silence silence(path_, "data set", dataset);
  const std::string place = path_ + ": data set '" + dataset + "'";
  const ArrayInfo array = info(dataset);
  if (!array.shape.empty() || array.type == ElementType::other) throw Error(place + ": expected one number of shape ()");
  const Hdf5Handle object = hdf5_open_object(id_, path_, dataset);
  double value = 0;
  hdf5_check(H5Dread(object.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), place, "cannot be read");
  return value;
}

void Hdf5File::write_raw(const std::string& dataset, const std::vector<std::int64_t>& shape, ElementType type,
                         std::span<const std::byte> bytes) {
  Hdf5Silence silence(path_, "data set", dataset);
  const std::string place = where(path_, dataset);
  std::int64_t expected = type_bytes(type);
  for (std::int64_t axis : shape) expected *= axis;
  if (type == ElementType::other || static_cast<std::size_t>(expected) != bytes.size()) {
    throw Error(place + ": " + std::to_string(bytes.size()) + " bytes do not fill shape " + shape_text(shape) + " of " +
                std::string(type_name(type)));
  }
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  Hdf5Handle space(dims.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
  hdf5_check(space.get(), place, "cannot have shape " + shape_text(shape));
  Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  Hdf5Handle plist(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(plist.get(), false);  // the same numbers make the same file
  Hdf5Handle stored = hdf5_memory_type(type);
  Hdf5Handle object(H5Dcreate2(id_, dataset.c_str(), stored.get(), space.get(), links.get(), plist.get(), H5P_DEFAULT), H5Dclose);
  hdf5_check(object.get(), place, "cannot create it");
  if (bytes.empty()) return;
  hdf5_check(H5Dwrite(object.get(), stored.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), place,
             "cannot write it (is the disk full?)");
}

template <class T>
void Hdf5File::write(const std::string& dataset, const std::vector<std::int64_t>& shape, std::span<const T> values) {
  constexpr ElementType type = std::is_same_v<T, std::uint8_t>   ? ElementType::u8
                               : std::is_same_v<T, std::int32_t> ? ElementType::i32
                               : std::is_same_v<T, std::int64_t> ? ElementType::i64
                               : std::is_same_v<T, float>        ? ElementType::f32
                                                                 : ElementType::f64;
  write_raw(dataset, shape, type, std::as_bytes(values));
}
template void Hdf5File::write(const std::string&, const std::vector<std::int64_t>&, std::span<const std::uint8_t>);
template void Hdf5File::write(const std::string&, const std::vector<std::int64_t>&, std::span<const std::int32_t>);
template void Hdf5File::write(const std::string&, const std::vector<std::int64_t>&, std::span<const std::int64_t>);
template void Hdf5File::write(const std::string&, const std::vector<std::int64_t>&, std::span<const float>);
template void Hdf5File::write(const std::string&, const std::vector<std::int64_t>&, std::span<const double>);

void Hdf5File::create_group(const std::string& name) {
  Hdf5Silence silence(path_, "group", name);
  Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  Hdf5Handle group(H5Gcreate2(id_, name.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  hdf5_check(group.get(), path_, "cannot create group '" + name + "'");
}

}  // namespace lockstep
