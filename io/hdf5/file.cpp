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
#include "io/data/row_convert.h"
#include "io/files/file_kind.h"
#include "io/hdf5/handle.h"
#include "io/hdf5/heap.h"
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

/// Numbers lo to hi of an axis that counts rows: the first, or the last.
struct Rows {
  std::int64_t lo, hi;
  bool last_axis = false;
  std::size_t axis(const ArrayInfo& info) const { return last_axis ? info.shape.size() - 1 : 0; }
};

/// Elements of these rows as a selection in the file.
Hdf5Handle select(const Hdf5Handle& dataset, const ArrayInfo& info, const Rows& rows, const std::string& place) {
  Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  std::vector<hsize_t> start(info.shape.size(), 0), count(info.shape.begin(), info.shape.end());
  start[rows.axis(info)] = static_cast<hsize_t>(rows.lo);
  count[rows.axis(info)] = static_cast<hsize_t>(rows.hi - rows.lo);
  hdf5_check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), place, "cannot select rows");
  return space;
}

void expect_rows(const ArrayInfo& info, const Rows& rows, const std::string& place) {
  if (info.shape.empty()) throw Error(place + " is a single value; expected an array whose first axis is rows");
  const std::int64_t all = info.shape[rows.axis(info)];
  if (rows.lo >= 0 && rows.hi >= rows.lo && rows.hi <= all) return;
  throw Error(place + " has rows 0 to " + std::to_string(all) + " (end excluded); asked for " + std::to_string(rows.lo) + " to " +
              std::to_string(rows.hi));
}

/// HDF5 converts bit fields to nothing but bit fields; these have the bytes of unsigned numbers.
Hdf5Handle bit_field_type(ElementType type) {
  const hid_t field = type == ElementType::u8    ? H5T_STD_B8LE
                      : type == ElementType::u16 ? H5T_STD_B16LE
                      : type == ElementType::u32 ? H5T_STD_B32LE
                                                 : H5T_STD_B64LE;
  return Hdf5Handle(H5Tcopy(field), H5Tclose);
}

void convert_bits(ElementType type, const std::vector<std::byte>& bits, ElementType target, std::size_t count, void* out) {
  std::vector<double> values(count);
  to_double(type, bits.data(), values.data(), static_cast<std::int64_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    if (target == ElementType::f32) static_cast<float*>(out)[i] = static_cast<float>(values[i]);
    if (target == ElementType::f64) static_cast<double*>(out)[i] = values[i];
    if (target == ElementType::i64) static_cast<std::int64_t*>(out)[i] = static_cast<std::int64_t>(values[i]);
  }
}

/// Reads rows as `target`; `capacity` is the caller's room in elements.
void read_block(hid_t file, const std::string& path, const ArrayInfo& info, const Rows& rows, ElementType target, std::size_t capacity,
                void* out) {
  const std::string place = where(path, info.name);
  if (info.type == ElementType::other) throw Error(place + " holds neither integers nor IEEE floats (float16, float32, float64)");
  expect_rows(info, rows, place);
  const std::int64_t lo = rows.lo, hi = rows.hi;
  std::int64_t row_elements = 1;
  for (std::size_t axis = 0; axis < info.shape.size(); ++axis) row_elements *= axis == rows.axis(info) ? 1 : info.shape[axis];
  if (capacity != static_cast<std::size_t>((hi - lo) * row_elements)) {
    throw Error(place + ": " + std::to_string(hi - lo) + " rows of shape " + shape_text(info.shape) + " do not fit a buffer of " +
                std::to_string(capacity) + " elements");
  }
  if (capacity == 0) return;
  expect_filters(path, info, place);
  expect_room_for_chunk(info, place);
  Hdf5Handle dataset = open_dataset(file, path, info.name);
  const Hdf5Handle space = select(dataset, info, rows, place);
  const hsize_t elements = capacity;
  Hdf5Handle memory(H5Screate_simple(1, &elements, nullptr), H5Sclose);
  const Hdf5Handle stored(H5Dget_type(dataset.get()), H5Tclose);
  const bool bits = H5Tget_class(stored.get()) == H5T_BITFIELD;
  if (bits && target != info.type) {
    std::vector<std::byte> own(capacity * static_cast<std::size_t>(type_bytes(info.type)));
    read_block(file, path, info, rows, info.type, capacity, own.data());
    return convert_bits(info.type, own, target, capacity, out);
  }
  Hdf5Handle type = bits ? bit_field_type(target) : hdf5_memory_type(target);
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
    if (H5Fis_hdf5(path.c_str()) == 0) {
      const std::string advice = file_kind_advice(path);
      throw Error(path + ": not an HDF5 file (make one with 'lockstep data import')" + (advice.empty() ? "" : ": " + advice));
    }
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

namespace {

/// Members of an enumeration, by value; none of another type.
std::vector<EnumMember> enum_members(const Hdf5Handle& type, const std::string& place) {
  std::vector<EnumMember> members;
  if (H5Tget_class(type.get()) != H5T_ENUM) return members;
  const Hdf5Handle base(H5Tget_super(type.get()), H5Tclose);
  const std::size_t bytes = H5Tget_size(base.get());
  const int count = H5Tget_nmembers(type.get());
  for (int i = 0; i < count; ++i) {
    std::vector<char> value(std::max(bytes, sizeof(std::int64_t)));
    hdf5_check(H5Tget_member_value(type.get(), static_cast<unsigned>(i), value.data()), place, "a member of its enumeration has no value");
    hdf5_check(H5Tconvert(base.get(), H5T_NATIVE_INT64, 1, value.data(), nullptr, H5P_DEFAULT), place, "its enumeration is of no integers");
    char* const name = H5Tget_member_name(type.get(), static_cast<unsigned>(i));
    EnumMember& member = members.emplace_back(EnumMember{name == nullptr ? "" : name, 0});
    std::memcpy(&member.value, value.data(), sizeof(member.value));
    H5free_memory(name);
  }
  std::sort(members.begin(), members.end(), [](const EnumMember& a, const EnumMember& b) { return a.value < b.value; });
  return members;
}

}  // namespace

ArrayInfo Hdf5File::info(const std::string& dataset) const {
  Hdf5Silence silence(path_, "the description of data set", dataset);
  Hdf5Handle object = open_dataset(id_, path_, dataset);
  Hdf5Handle plist(H5Dget_create_plist(object.get()), H5Pclose);
  const Hdf5Handle stored(H5Dget_type(object.get()), H5Tclose);
  const Hdf5Type type = hdf5_classify(stored);
  ArrayInfo info;
  info.text = H5Tget_class(stored.get()) == H5T_STRING;
  info.members = enum_members(stored, where(path_, dataset));
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
      read_block(id_, path_, array, {lo, hi}, ElementType::u64, out.size(), out.data());
      const auto negative = std::find_if(out.begin(), out.end(), [](std::int64_t value) { return value < 0; });
      if (negative == out.end()) return;
      refuse_value(where(path_, dataset), lo + (negative - out.begin()) / width, std::to_string(static_cast<std::uint64_t>(*negative)));
    }
    read_block(id_, path_, array, {lo, hi}, ElementType::i64, out.size(), out.data());
  } else {
    read_block(id_, path_, array, {lo, hi}, sizeof(T) == 4 ? ElementType::f32 : ElementType::f64, out.size(), out.data());
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
  read_block(id_, path_, array, {lo, hi}, array.type, out.size() / bytes, out.data());
}

void Hdf5File::read_reversed(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<std::byte> out) const {
  Hdf5Silence silence(path_, "data set", dataset);
  const ArrayInfo array = info(dataset);
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(type_bytes(array.type), 1));
  std::vector<std::byte> stored(out.size());
  read_block(id_, path_, array, {lo, hi, true}, array.type, out.size() / bytes, stored.data());
  std::vector<std::int64_t> shape(array.shape.rbegin(), array.shape.rend());
  shape.front() = hi - lo;
  from_fortran(stored.data(), shape, bytes, out.data());
}

std::vector<std::string> Hdf5File::read_strings(const std::string& dataset, std::int64_t lo, std::int64_t hi) const {
  constexpr std::int64_t kBlock = 1 << 16, kBytes = 16 << 20;  // strings, and their bytes or references, that are read at a time
  Hdf5Silence silence(path_, "data set", dataset);
  const ArrayInfo array = info(dataset);
  const std::string place = where(path_, dataset);
  if (!array.text) throw Error(place + ": expected strings");
  if (array.row_elements() != 1) throw Error(place + ": expected one string a row, found shape " + shape_text(array.shape));
  expect_rows(array, {lo, hi}, place);
  expect_filters(path_, array, place);
  expect_room_for_chunk(array, place);
  const Hdf5Handle object = open_dataset(id_, path_, dataset);
  const Hdf5Handle stored(H5Dget_type(object.get()), H5Tclose);
  const std::int64_t block_rows =
      std::clamp<std::int64_t>(kBytes / static_cast<std::int64_t>(std::max<std::size_t>(H5Tget_size(stored.get()), 1)), 1, kBlock);
  std::vector<std::string> values;
  for (std::int64_t at = lo; at < hi; at += block_rows) {
    const Rows rows{at, std::min(at + block_rows, hi)};
    const hsize_t count = static_cast<hsize_t>(rows.hi - rows.lo);
    const Hdf5Handle space = select(object, array, rows, place), memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
    const auto read = [&](std::int64_t type, char* out) {
      hdf5_check(H5Dread(object.get(), type, memory.get(), space.get(), H5P_DEFAULT, out), place,
                 "cannot read it; the file may be damaged or cut short");
    };
    const std::vector<std::string> block = hdf5_strings(id_, stored, count, place, read);
    values.insert(values.end(), block.begin(), block.end());
  }
  return values;
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
