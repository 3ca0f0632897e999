#include "core/network/dtype_policy.h"

#include <string>

#include "cluster/error.h"

namespace lockstep {

DtypePolicy mixed_precision_from_name(std::string_view name) {
  if (name == "float32") return DtypePolicy::float32;
  if (name == "bfloat16") return DtypePolicy::mixed_bfloat16;
  if (name == "auto") return DtypePolicy::automatic;
  throw Error("unknown precision '" + std::string(name) + "'; there are: float32, bfloat16, auto", kUsage);
}

std::string_view name_of(DtypePolicy policy) {
  switch (policy) {
    case DtypePolicy::mixed_bfloat16: return "mixed_bfloat16";
    case DtypePolicy::automatic: return "auto";
    default: return "float32";
  }
}

}  // namespace lockstep
