#pragma once
#include <string>
#include <vector>

#include "cluster/json.h"
#include "cluster/world.h"

namespace lockstep {

/// What the `lockstep bench` commands print. --json gives one document: "bench" (the command's name), "setting" (see bench_setting) and the
/// figures, which are spreads: {"median", "min", "max", "lower_quartile", "upper_quartile", "samples"}.

/// Repeated measurements of one thing.
struct Spread {
  double median = 0, min = 0, max = 0, lower_quartile = 0, upper_quartile = 0;
  std::size_t samples = 0;
};
/// Of at least one sample.
Spread spread_of(std::vector<double> samples);
Json to_json(const Spread& spread);

/// Where and with what was measured: date, machine (processor's name), isa, versions, host, hosts, ranks, cores (of the host), threads (of
/// each rank), round_trip {ns, cores: "near" or "far"} between the ranks' cores, or null (cluster/host/core_round_trip.h). Collective.
Json bench_setting(const World& world, int threads);
/// The same for people, three lines.
std::string setting_text(const Json& setting);

/// "4 KB", "1.5 MB": 1024 bytes to a KB.
std::string bytes_text(double bytes);

/// Prints the document (with `json`) or the text. For rank 0.
void print_bench(bool json, const Json& document, const std::string& text);

/// Seconds of the monotonic clock.
double seconds_now();

}  // namespace lockstep
