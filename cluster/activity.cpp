#include "cluster/activity.h"

namespace lockstep {

const char* stage_name(Stage stage) noexcept {
  switch (stage) {
    case Stage::starting: return "starting";
    case Stage::opening_data: return "opening data";
    case Stage::reading: return "reading rows";
    case Stage::computing: return "computing";
    case Stage::updating: return "updating weights";
    case Stage::validating: return "evaluating";
    case Stage::callbacks: return "writing history or a checkpoint";
    case Stage::finishing: return "writing results";
    case Stage::barrier: return "waiting in a barrier";
    case Stage::collective: return "waiting in a collective";
    case Stage::agreement: return "waiting for all ranks to agree";
    case Stage::host_flags: return "waiting for the ranks of its host";
    case Stage::messages: return "waiting for messages of other hosts";
    case Stage::gradients: return "waiting in the sum of gradients";
  }
  return "nowhere";
}

}  // namespace lockstep
