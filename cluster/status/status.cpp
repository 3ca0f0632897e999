#include "cluster/status/status.h"

namespace lockstep {

std::string phase_name(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::training: return "training";
    case Phase::validating: return "validating";
    case Phase::checkpointing: return "checkpointing";
    case Phase::finished: return "finished";
    case Phase::failed: return "failed";
  }
  return "unknown";
}

}  // namespace lockstep
