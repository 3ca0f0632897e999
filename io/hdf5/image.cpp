#include "io/hdf5/image.h"

#include <hdf5.h>

#include <algorithm>
#include <atomic>

#include "cluster/error.h"
#include "io/hdf5/handle.h"

namespace lockstep {
namespace {

Hdf5Handle in_memory() {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access.get(), std::size_t{1} << 20, false);
  return access;
}

/// HDF5 takes two files in memory of one name for the same file, and refuses a name that is on disk: this one is new and can never be
/// there.
std::string image_name() {
  static std::atomic<std::int64_t> count = 0;
  return "/dev/null/image-" + std::to_string(count++);
}

}  // namespace

Hdf5File create_hdf5_image(const std::string& name) {
  Hdf5Silence silence(name);
  const Hdf5Handle access = in_memory();
  return Hdf5File(
      name, hdf5_check(H5Fcreate(image_name().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), name, "cannot create it in memory"));
}

Hdf5File open_hdf5_image(const std::string& name, std::string_view bytes) {
  Hdf5Silence silence(name);
  const Hdf5Handle access = in_memory();
  hdf5_check(H5Pset_file_image(access.get(), const_cast<char*>(bytes.data()), bytes.size()), name, "cannot be held in memory");
  const hid_t id = H5Fopen(image_name().c_str(), H5F_ACC_RDONLY, access.get());
  return Hdf5File(name, hdf5_check(id, name, "is not a whole HDF5 file (damaged or cut short?)"));
}

std::string hdf5_image(const Hdf5File& file) {
  Hdf5Silence silence(file.path());
  hdf5_check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), file.path(), "cannot finish it");
  const ssize_t size = static_cast<ssize_t>(hdf5_check(H5Fget_file_image(file.id(), nullptr, 0), file.path(), "has no image"));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  hdf5_check(H5Fget_file_image(file.id(), bytes.data(), bytes.size()), file.path(), "has no image");
  return bytes;
}

std::span<std::byte> hdf5_image_memory(const Hdf5File& file) {
  Hdf5Silence silence(file.path());
  hdf5_check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), file.path(), "cannot finish it");
  const auto size = static_cast<std::size_t>(hdf5_check(H5Fget_file_image(file.id(), nullptr, 0), file.path(), "has no image"));
  void* handle = nullptr;  // of the core driver: the address of its pointer to the memory
  hdf5_check(H5Fget_vfd_handle(file.id(), H5P_DEFAULT, &handle), file.path(), "has no memory");
  const std::span<std::byte> memory{*static_cast<std::byte**>(handle), size};
  // While it is open a file is marked as being written to, which hdf5_image() and closing take back: bytes 20 to 23 in this form of the
  // header.
  if (size < 24 || memory[8] != std::byte{0}) throw Error(file.path() + ": HDF5 has written another header than expected");
  std::fill_n(memory.begin() + 20, 4, std::byte{0});
  return memory;
}

}  // namespace lockstep
