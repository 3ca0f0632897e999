#include "io/hdf5/handle.h"

#include <hdf5.h>

#include <type_traits>

#include "cluster/error.h"

namespace lockstep {
namespace {

static_assert(std::is_same_v<hid_t, std::int64_t> && std::is_same_v<herr_t, int>);

extern "C" herr_t innermost_message(unsigned depth, const H5E_error2_t* error, void* data) {
  if (depth == 0 && error->desc != nullptr) {
    try {
      *static_cast<std::string*>(data) = error->desc;
    } catch (...) {
      return -1;
    }
  }
  return 0;
}

}  // namespace

Hdf5Silence::Hdf5Silence(std::string_view file, std::string_view kind, std::string_view name, std::string_view owner)
    : reading_(file, kind, name, owner) {
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}
Hdf5Silence::~Hdf5Silence() {
  H5Eclear2(H5E_DEFAULT);  // a thread that ends with errors on its stack would make HDF5 print "infinite loop closing library" at exit
  H5Eset_auto2(H5E_DEFAULT, function_, data_);
}

std::string hdf5_message() {
  std::string message;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost_message, &message);
  return message.empty() ? "" : " (HDF5: " + message + ")";
}

std::int64_t hdf5_check(std::int64_t result, const std::string& where, const std::string& what) {
  if (result < 0) throw Error(where + ": " + what + hdf5_message());
  return result;
}

}  // namespace lockstep
