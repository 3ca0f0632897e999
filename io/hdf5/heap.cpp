#include "io/hdf5/heap.h"

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>

#include "cluster/error.h"

// Variable-length strings, read without libhdf5's reader. That one (H5HG_read of 1.10) trusts what a damaged file says of its heaps: it
// reads and writes beyond its buffers, or loops for ever. Here HDF5 only gives the references as they stand in the file. Our own reader
// follows them and checks every number. Format: "III.E. Disk Format: Level 1E - Global Heap" of the HDF5 File Format Specification.
namespace lockstep {
namespace {

std::uint64_t little_endian(const char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// HDF5 calls it to convert elements in place: they stay the references that they are in the file.
extern "C" herr_t keep_references(hid_t, hid_t, H5T_cdata_t* data, std::size_t, std::size_t, std::size_t, void*, void*, hid_t) {
  data->need_bkg = H5T_BKG_NO;
  return 0;
}

void register_conversion() {
  static std::once_flag once;
  std::call_once(once, [] {
    const Hdf5Handle strings(H5Tcopy(H5T_C_S1), H5Tclose), references(H5Tcreate(H5T_OPAQUE, 1), H5Tclose);
    H5Tset_size(strings.get(), H5T_VARIABLE);
    hdf5_check(H5Tregister(H5T_PERS_SOFT, "references", strings.get(), references.get(), keep_references), "HDF5", "takes no conversion");
  });
}

/// The bytes of an open file, wherever they are.
class FileBytes {
 public:
  FileBytes(hid_t file, const std::string& place) : place_(place) {
    hsize_t bytes = 0, user_block = 0;
    hdf5_check(H5Fflush(file, H5F_SCOPE_GLOBAL), place, "cannot be read");  // of a file that is being written
    hdf5_check(H5Fget_filesize(file, &bytes), place, "cannot be read");
    const Hdf5Handle creation(H5Fget_create_plist(file), H5Pclose), access(H5Fget_access_plist(file), H5Pclose);
    hdf5_check(H5Pget_userblock(creation.get(), &user_block), place, "cannot be read");
    hdf5_check(H5Pget_sizes(creation.get(), &address_bytes, &size_bytes), place, "cannot be read");
    const hid_t driver = H5Pget_driver(access.get());
    void* handle = nullptr;
    hdf5_check(H5Fget_vfd_handle(file, H5P_DEFAULT, &handle), place, "cannot be read");
    if (driver == H5FD_CORE) {
      memory_ = *static_cast<const char**>(handle);
    } else if (driver == H5FD_SEC2) {
      descriptor_ = *static_cast<const int*>(handle);
    } else {
      throw Error(place + ": strings cannot be read through this HDF5 driver (is HDF5_DRIVER set?)");
    }
    base_ = user_block;
    size = bytes;
  }

  /// Bytes at an address of the file.
  void read(std::uint64_t address, char* out, std::size_t count) const {
    if (address > size || count > size - address || base_ > size - address - count) damaged("an address lies beyond the file's end");
    const std::uint64_t at = base_ + address;
    if (memory_ != nullptr) {
      std::memcpy(out, memory_ + at, count);
      return;
    }
    for (std::size_t done = 0; done < count;) {
      const ssize_t some = ::pread(descriptor_, out + done, count - done, static_cast<off_t>(at + done));
      if (some < 0 && errno == EINTR) continue;
      if (some <= 0) damaged("the file ends too early");
      done += static_cast<std::size_t>(some);
    }
  }
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(place_ + ": damaged: " + what + "; copy the file again or make it anew");
  }

  std::size_t address_bytes = 0, size_bytes = 0;
  std::uint64_t size = 0;

 private:
  const std::string& place_;
  const char* memory_ = nullptr;
  int descriptor_ = -1;
  std::uint64_t base_ = 0;
};

/// A collection of objects: where each lies.
class Heap {
 public:
  Heap(const FileBytes& file, std::uint64_t address) {
    char head[kHead];
    file.read(address, head, kHead);
    if (std::memcmp(head, "GCOL\1", 5) != 0) file.damaged("there is no heap of strings where one should be");
    const std::uint64_t bytes = little_endian(head + 8, file.size_bytes);
    if (bytes > file.size - address) file.damaged("a heap of strings is larger than the file");
    address_ = address;
    if (bytes <= kInMemory) {
      bytes_.resize(bytes);
      file.read(address, bytes_.data(), bytes);
    }
    for (std::uint64_t at = kHead; at + kHead <= bytes && objects_.size() < kMostObjects;) {
      char object[kHead];
      get(file, address + at, object, kHead);
      const auto index = static_cast<unsigned>(little_endian(object, 2));
      const std::uint64_t size = little_endian(object + 8, file.size_bytes), room = bytes - at - kHead;
      if (index == 0) break;  // free room up to the end
      if (size > room) file.damaged("a string is larger than its heap");
      if (!objects_.emplace(index, Object{address + at + kHead, size}).second) file.damaged("two strings of a heap have one number");
      at += kHead + (size + 7) / 8 * 8;
    }
  }

  std::string read(const FileBytes& file, std::uint64_t index, std::uint64_t length) const {
    const auto found = objects_.find(static_cast<unsigned>(index));
    if (found == objects_.end()) file.damaged("string " + std::to_string(index) + " is missing in its heap");
    if (length > found->second.size) {
      file.damaged("a string should have " + std::to_string(length) + " bytes, its heap has " + std::to_string(found->second.size));
    }
    std::string text(length, '\0');
    get(file, found->second.address, text.data(), text.size());
    text.resize(std::min(text.find('\0'), text.size()));  // some writers store C's end of a string
    return text;
  }

 private:
  void get(const FileBytes& file, std::uint64_t address, char* out, std::size_t count) const {
    if (bytes_.empty()) return file.read(address, out, count);
    std::memcpy(out, bytes_.data() + (address - address_), count);
  }

  static constexpr std::size_t kHead = 16;                // bytes before a collection's objects, and before each of them
  static constexpr std::size_t kMostObjects = 1U << 16U;  // their numbers have two bytes
  struct Object {
    std::uint64_t address, size;
  };
  static constexpr std::uint64_t kInMemory = 1U << 16U;  // bytes of a collection that are read at once
  std::unordered_map<unsigned, Object> objects_;
  std::uint64_t address_ = 0;
  std::string bytes_;  // of the collection, if it is small
};

std::vector<std::string> heap_strings(hid_t id, std::size_t count, const std::string& place, const Hdf5ElementReader& read) {
  register_conversion();
  const FileBytes file(id, place);
  if (file.address_bytes > 8 || (file.size_bytes != 4 && file.size_bytes != 8)) {
    file.damaged("addresses of " + std::to_string(file.address_bytes) + " bytes");
  }
  const std::size_t width = 4 + file.address_bytes + 4;  // length, address of the heap, number of the object
  std::string references(count * width, '\0');
  const Hdf5Handle opaque(H5Tcreate(H5T_OPAQUE, width), H5Tclose);
  read(opaque.get(), references.data());
  std::map<std::uint64_t, Heap> heaps;
  std::vector<std::string> values;
  std::uint64_t left = file.size;  // every string is somewhere in the file
  for (const char* at = references.data(); values.size() < count; at += width) {
    const std::uint64_t length = little_endian(at, 4), address = little_endian(at + 4, file.address_bytes),
                        index = little_endian(at + 4 + file.address_bytes, 4);
    if (address == 0 || length == 0) {  // HDF5 stores an empty one in this way
      values.emplace_back();
      continue;
    }
    if (length > left) file.damaged("its strings are longer than the file");
    left -= length;
    values.push_back(heaps.try_emplace(address, file, address).first->second.read(file, index, length));
  }
  return values;
}

std::vector<std::string> fixed_strings(const Hdf5Handle& stored, std::size_t count, const Hdf5ElementReader& read) {
  const std::size_t width = H5Tget_size(stored.get());
  std::string bytes(width * count, '\0');
  read(stored.get(), bytes.data());
  const bool spaces = H5Tget_strpad(stored.get()) == H5T_STR_SPACEPAD;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < count; ++i) {
    std::string value = bytes.substr(i * width, width);
    value.resize(spaces ? value.find_last_not_of(' ') + 1 : std::min(value.find('\0'), value.size()));
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

std::vector<std::string> hdf5_strings(std::int64_t file, const Hdf5Handle& stored, std::size_t count, const std::string& place,
                                      const Hdf5ElementReader& read) {
  if (H5Tis_variable_str(stored.get()) > 0) return heap_strings(file, count, place, read);
  constexpr std::size_t kLongest = 1 << 16;  // bytes
  if (const std::size_t width = H5Tget_size(stored.get()); width > kLongest) {
    throw Error(place + ": strings of " + std::to_string(width) + " bytes; expected at most " + std::to_string(kLongest));
  }
  return fixed_strings(stored, count, read);
}

}  // namespace lockstep
