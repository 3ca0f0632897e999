#include "cluster/fingerprint.h"

#include "cluster/world.h"

namespace lockstep {

void agree_on(const World& world, const std::string& what, const std::string& own) {
  const std::vector<std::string> all = world.all_gather(own);
  for (std::size_t r = 1; r < all.size(); ++r) {
    if (all[r] == all[0]) continue;
    const std::vector<std::string> hosts = world.all_gather(world.hostname());
    throw AgreedError(what + " differs: rank " + std::to_string(r) + " on " + hosts[r] + " has " + all[r] + ", but rank 0 on " + hosts[0] +
                          " has " + all[0],
                      kFailed, static_cast<int>(r), hosts[r]);
  }
}

}  // namespace lockstep
