#include "io/run/versions.h"

#include <hdf5.h>

#include "cluster/versions.h"
#include "core/math/onednn/library.h"

namespace lockstep {

std::map<std::string, std::string> all_versions() {
  std::map<std::string, std::string> versions = cluster_versions();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  versions["HDF5"] = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
  versions["oneDNN"] = onednn_version();
  versions["ISA"] = onednn_isa();
  versions["lockstep"] = LOCKSTEP_VERSION;
  return versions;
}

}  // namespace lockstep
