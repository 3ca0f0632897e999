#include "cluster/activity.h"

namespace lockstep {

const char* place_name(Place place) noexcept {
  switch (place) {
    case Place::starting: return "starting";
    case Place::opening_data: return "opening data";
    case Place::reading: return "reading rows";
    case Place::computing: return "computing";
    case Place::updating: return "updating weights";
    case Place::validating: return "evaluating";
    case Place::callbacks: return "writing history or a checkpoint";
    case Place::finishing: return "writing results";
    case Place::barrier: return "waiting in a barrier";
    case Place::collective: return "waiting in a collective";
    case Place::agreement: return "waiting for all ranks to agree";
    case Place::host_flags: return "waiting for the ranks of its host";
    case Place::messages: return "waiting for messages of other hosts";
    case Place::gradients: return "waiting in the sum of gradients";
  }
  return "nowhere";
}

}  // namespace lockstep
