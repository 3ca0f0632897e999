#pragma once
#include "cluster/world.h"

namespace lockstep::test {

/// The world of a multi-process test (tests/mpi), made by mpi_main.cpp.
const World& world();

}  // namespace lockstep::test
