#include "core/network/arithmetic.h"

#include <string>

#include "cluster/error.h"

namespace lockstep {

Arithmetic arithmetic_from_name(std::string_view name) {
  for (const Arithmetic known : {Arithmetic::onednn, Arithmetic::portable}) {
    if (name == name_of(known)) return known;
  }
  throw Error("unknown arithmetic '" + std::string(name) + "'; there are: onednn, portable", kUsage);
}

std::string_view name_of(Arithmetic arithmetic) { return arithmetic == Arithmetic::onednn ? "onednn" : "portable"; }

}  // namespace lockstep
