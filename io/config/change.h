#pragma once
#include <string>

namespace lockstep {

/// Compares the configuration of a run directory with the one that is to go on in it. Returns what differs first, as "training.batch_size:
/// 32 there, 16 here"; empty if both train the same: keys may differ that say how long, where and with what help a run trains
/// (run_dir_mode, training.epochs, cluster, coordinator, checkpoint, data.memory). So may the paths of data files, whose content is
/// compared by DataIdentity. Both are texts as in RunConfig::yaml.
std::string config_change(const std::string& there, const std::string& here);

}  // namespace lockstep
