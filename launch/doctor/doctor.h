#pragma once
#include <vector>

#include "launch/doctor/check.h"

namespace lockstep {

/// Each group in launch/doctor/NAME.cpp.
const std::vector<Check>& doctor_versions();
const std::vector<Check>& doctor_cores();
const std::vector<Check>& doctor_memory();
const std::vector<Check>& doctor_network();
const std::vector<Check>& doctor_clock();
const std::vector<Check>& doctor_files();
const std::vector<Check>& doctor_data();

}  // namespace lockstep
