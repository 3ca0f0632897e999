#include "io/hdf5/objects.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>

#include "cluster/error.h"

namespace lockstep {
namespace {

// What the calls of version 2 fill in: HDF5 1.10 (Debian 12) and 1.14 (Debian 13) name it differently.
#if H5_VERSION_GE(1, 12, 0)
using ObjectInfo = H5O_info1_t;
#else
using ObjectInfo = H5O_info_t;
#endif

struct ListRequest {
  H5O_type_t kind;
  std::vector<std::string>* names;
};

extern "C" herr_t collect_object(hid_t, const char* name, const ObjectInfo* info, void* data) {
  auto* request = static_cast<ListRequest*>(data);
  try {
    if (info->type == request->kind && std::string_view(name) != ".") request->names->push_back(fmt::format("/{}", name));
    return 0;
  } catch (...) {
    return -1;  // no exception may cross the C library
  }
}

}  // namespace

bool hdf5_has_object(std::int64_t file, const std::string& name) {
  for (std::size_t end = name.find('/', 1); true; end = name.find('/', end + 1)) {  // H5Lexists wants every step of the way to exist
    const std::string part = name.substr(0, end);
    if (part != "/" && H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == std::string::npos) break;
  }
  return H5Oexists_by_name(file, name.c_str(), H5P_DEFAULT) > 0;
}

Hdf5Handle hdf5_open_object(std::int64_t file, const std::string& path, const std::string& name) {
  const hid_t id = H5Oopen(file, name.c_str(), H5P_DEFAULT);
  if (id < 0) {
    const std::string reason = hdf5_message();  // before the next call clears it
    if (hdf5_has_object(file, name)) throw Error(path + ": cannot open '" + name + "'; the file may be damaged: copy it again" + reason);
    throw Error(path + ": there is no '" + name + "' ('lockstep data show " + path + "' lists what there is)" + reason);
  }
  Hdf5Handle object(id, H5Oclose);
  ObjectInfo here, root;
  hdf5_check(H5Oget_info2(id, &here, H5O_INFO_BASIC), path, "cannot inspect '" + name + "'");
  hdf5_check(H5Oget_info2(file, &root, H5O_INFO_BASIC), path, "cannot inspect it");
  if (here.fileno != root.fileno) throw Error(path + ": '" + name + "' is a link into another file; name that file instead");
  return object;
}

std::vector<std::string> hdf5_objects(std::int64_t file, const std::string& path, Hdf5Kind kind) {
  Hdf5Silence silence(path, "the list of its objects");
  std::vector<std::string> names;
  ListRequest request{kind == Hdf5Kind::group ? H5O_TYPE_GROUP : H5O_TYPE_DATASET, &names};
  hdf5_check(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, collect_object, &request, H5O_INFO_BASIC), path, "cannot list its contents");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lockstep
