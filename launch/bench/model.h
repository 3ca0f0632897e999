#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "io/config/config.h"
#include "launch/bench/step_floor.h"

namespace lockstep {

/// The text of the configuration that the bench commands use where none is given.
const char* built_in_config();

/// The configuration FILE, or without one the built-in classifier 784-300-100-10 on data/fashion_mnist.h5 (batch 32, SGD). Rank 0 alone
/// reads the file. Collective.
RunConfig bench_config(const std::string& file, const std::vector<std::string>& overrides, const World& world);

/// The training rows of the configuration, or drawn ones of the shape of its model where there is no such file.
struct BenchData {
  std::unique_ptr<Dataset> rows;
  std::string description;            ///< says which
  const Hdf5Dataset* file = nullptr;  ///< the rows, if they are a file's
};
/// `drawn`: how many rows to draw. Collective.
BenchData bench_data(const RunConfig& config, std::int64_t drawn, const World& world);

/// "784-300-100-10": the input's width and those of its products' results. For a built model.
std::string describe_widths(const Sequential& model);

}  // namespace lockstep
