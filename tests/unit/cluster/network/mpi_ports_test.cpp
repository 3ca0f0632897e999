#include "cluster/network/mpi_ports.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

// What all_ranks_here() says where these are the launchers' variables.
bool all_here(const std::vector<std::pair<std::string, std::string>>& variables) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_NODES", "SLURM_HET_SIZE"}) {
    unsetenv(name);
  }
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  return all_ranks_here();
}

TEST(MpiPorts, TheLauncherTellsWhetherAllRanksAreHere) {
  EXPECT_TRUE(all_here({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}}));
  EXPECT_FALSE(all_here({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}));
  EXPECT_TRUE(all_here({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_NODES", "1"}}));
  EXPECT_FALSE(all_here({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_NODES", "2"}}));
  EXPECT_FALSE(all_here({{"SLURM_STEP_NUM_NODES", "1"}})) << "a process that srun did not start by PMIx is alone";
}

TEST(MpiPorts, AComponentOfAHeterogeneousJobIsNotAll) {
  EXPECT_FALSE(all_here({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_NODES", "1"}, {"SLURM_HET_SIZE", "2"}}));
  EXPECT_TRUE(all_here({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}, {"SLURM_HET_SIZE", "2"}}))
      << "mpirun counts the ranks of all components";
}

}  // namespace
}  // namespace lockstep
