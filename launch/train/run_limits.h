#pragma once
#include <cstddef>
#include <cstdint>

#include "cluster/world.h"
#include "core/training/sequential.h"

// Limits of the process and its host that would stop a run: what lockstep doctor reports and lockstep train refuses to start with.
namespace lockstep {

/// An Error if this rank cannot open the files, start the threads or map the memory that a run needs. It names the limit and what raises
/// it.
void check_rank_limits(const World& world, int threads, bool coordinator);

/// Bytes of /dev/shm that `ranks` ranks of a host share for a built model: weights, gradients, activations and deltas.
double shared_model_bytes(Sequential& model, std::int64_t batch_size, std::size_t ranks);

}  // namespace lockstep
