#include "launch/train/start_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

std::string start_table(const std::vector<RankPlace>& places, const Sampler& sampler, std::int64_t batch_size) {
  const int size = static_cast<int>(places.size());
  std::string table = fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", "rank", "host", "pid", "cores", "threads", "batch rows");
  int idle = 0;
  for (const RankPlace& place : places) {
    const Grains grains = cut_grains(sampler.slots(), place.rank, size);
    const std::int64_t end = std::min(grains.first_slot() + grains.own_slots(), sampler.slots());
    const std::int64_t rows = std::max<std::int64_t>(0, end - grains.first_slot());
    if (rows == 0) ++idle;
    table += fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", place.rank, place.host, place.pid, place.cores, place.threads, rows);
  }
  if (idle > 0) {
    const Grains grains = cut_grains(sampler.slots(), 0, size);
    table += fmt::format("{} of {} ranks get no rows: a batch of {} makes {} grains of {}. A batch_size of {} would feed all ranks.\n",
                         idle, size, batch_size, grains.count, grains.rows, grains.rows * size);
  }
  return table;
}

}  // namespace lockstep
