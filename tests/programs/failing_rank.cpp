// Ranks that fail in the way named on the command line while the others wait for them; failing_rank.sh looks at how the job ends.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "cluster/collectives/allreduce.h"
#include "cluster/run.h"
#include "cluster/world.h"

namespace {

using lockstep::Error;
using lockstep::World;

/// Rank 1 throws in the middle of a loop of sums; its allreduce, shared memory included, goes out of scope on the way up.
void sums(const World& world, const std::string& failure, const std::string& algorithm) {
  const std::unique_ptr<lockstep::Allreduce> allreduce = lockstep::make_allreduce(world, lockstep::allreduce_from_name(algorithm));
  const std::span<float> data = allreduce->allocate(100'003);
  for (int step = 0; step < 10; ++step) {
    if (step == 5) {
      if (failure == "agreed") {
        world.agree([&] {
          if (world.rank() >= 1) throw Error("no file", lockstep::kUsage);
        });
      }
      if (world.rank() == 1 && failure == "error") throw Error("lost at step 5", lockstep::kRunAgain);
      if (world.rank() == 1 && failure == "exception") throw std::out_of_range("index 7");
      if (world.rank() == 1 && failure == "number") throw 42;
    }
    allreduce->sum(data);
  }
}

void program(World& world, const std::string& failure, const std::string& algorithm, const std::string& folder) {
  std::ofstream(folder + "/pid." + std::to_string(world.rank())) << getpid() << '\n';
  world.barrier();  // every rank has left its pid
  sums(world, failure, algorithm);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() != 4) return lockstep::kUsage;
  return lockstep::run(argc, argv, [&](World& world) { program(world, arguments[1], arguments[2], arguments[3]); });
}
