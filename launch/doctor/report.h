#pragma once
#include <string>
#include <vector>

#include "launch/doctor/check.h"

namespace lockstep {

/// The report of a check, as text and as JSON.
std::string report_text(const Examination& examination, const std::string& check, const Verdict& verdict);
Json report_json(const Examination& examination, const std::string& check, const Verdict& verdict);
/// "ranks 0-3, 6 (h1, h2)"
std::string ranks_text(const Examination& examination, const std::vector<int>& ranks);

}  // namespace lockstep
