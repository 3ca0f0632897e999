// lockstep bench allreduce: every algorithm against MPI_Allreduce, by size.
#include "cluster/collectives/allreduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cluster/host/shared_memory.h"
#include "launch/bench/commands.h"
#include "launch/bench/report.h"
#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {
namespace {

struct AllreduceArguments {
  std::vector<std::int64_t> sizes = {8, 64, 512, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20};
  std::vector<std::string> algorithms;
  double seconds = 1;
  bool private_memory = false, json = false;
};

/// An algorithm under test with its own memory; or why it cannot run here.
struct Candidate {
  std::string name, skipped;
  std::unique_ptr<Allreduce> allreduce;
  std::span<float> memory;
  std::vector<float> own;  // the memory, if it is to be private
};

/// All of one run.
class AllreduceBench {
 public:
  AllreduceBench(const AllreduceArguments& arguments, const World& world);
  void operator()();

 private:
  void add(const std::string& name, std::size_t floats);
  std::vector<std::vector<double>> measure(std::int64_t bytes);
  double time_calls(Candidate& candidate, std::size_t count, int calls);
  void fill(std::span<float> data, int call) const;
  void check(const Candidate& candidate, std::span<const float> data, int call) const;
  void wait();
  Json row(std::int64_t bytes);
  std::string text(const Json& document) const;

  const AllreduceArguments& arguments_;
  const World& world_;
  SpinBarrier barrier_;
  std::vector<Candidate> candidates_;
  double least_filling_ = 0;  // seconds, of a sample's calls at the present size
};

AllreduceBench::AllreduceBench(const AllreduceArguments& arguments, const World& world)
    : arguments_(arguments), world_(world), barrier_(world) {
  if (world.communicator() == nullptr)
    throw Error("bench allreduce: sums over ranks need ranks; start it with mpirun -np 2 lockstep bench allreduce", kUsage);
  const std::int64_t most = *std::max_element(arguments.sizes.begin(), arguments.sizes.end());
  const auto floats = static_cast<std::size_t>((most + 3) / 4);
  for (const std::string_view name : allreduce_names()) {
    const auto& chosen = arguments.algorithms;
    if (chosen.empty() || name == "mpi" || std::find(chosen.begin(), chosen.end(), name) != chosen.end()) add(std::string(name), floats);
  }
}

void AllreduceBench::add(const std::string& name, std::size_t floats) {
  Candidate candidate{name, "", nullptr, {}, {}};
  try {
    candidate.allreduce = make_allreduce(world_, allreduce_from_name(name));
    if (arguments_.private_memory) {
      candidate.own.resize(floats);
      candidate.memory = candidate.own;
    } else {
      candidate.memory = candidate.allreduce->allocate(floats);
    }
  } catch (const AgreedError& error) {  // on all ranks: this algorithm does not work in this job
    if (error.exit_code() != kUsage) throw;
    candidate.skipped = error.what();
  }
  candidates_.push_back(std::move(candidate));
}

/// Small whole numbers, different in each call, whose sums are exact in any order.
void AllreduceBench::fill(std::span<float> data, int call) const {
  const auto value = static_cast<float>(world_.rank() + 1 + call % 64);
  std::fill(data.begin(), data.end(), value);
}

void AllreduceBench::check(const Candidate& candidate, std::span<const float> data, int call) const {
  const int ranks = world_.size();
  const auto expected = static_cast<float>(ranks * (ranks + 1) / 2 + ranks * (call % 64));
  for (const std::size_t i : {std::size_t{0}, data.size() / 2, data.size() - 1}) {
    if (data[i] != expected) {
      throw Error(
          fmt::format("allreduce {} of {} floats: element {} is {}, expected {}", candidate.name, data.size(), i, data[i], expected));
    }
  }
}

void AllreduceBench::wait() {
  if (world_.hosts() == 1) {
    barrier_.wait();
  } else {
    world_.barrier();
  }
}

/// Seconds of one call. Several calls in a row where one is too short for the clock: each on freshly written data. The least time that this
/// writing by itself has taken so far is taken off.
double AllreduceBench::time_calls(Candidate& candidate, std::size_t count, int calls) {
  const std::span<float> data = candidate.memory.first(count);
  fill(data, 0);
  if (calls == 1) {
    wait();
    const double start = seconds_now();
    candidate.allreduce->sum(data);
    const double seconds = seconds_now() - start;
    check(candidate, data, 0);
    return seconds;
  }
  double start = seconds_now();
  for (int call = 0; call < calls; ++call) {
    fill(data, call);
    asm volatile("" ::: "memory");  // or all but the last would be left out
  }
  least_filling_ = std::min(least_filling_, seconds_now() - start);
  wait();
  start = seconds_now();
  for (int call = 0; call < calls; ++call) {
    fill(data, call);
    candidate.allreduce->sum(data);
  }
  const double seconds = seconds_now() - start - least_filling_;
  check(candidate, data, calls - 1);
  return std::max(seconds, 0.0) / calls;
}

/// Per candidate the seconds of each sample, that of the rank which needed longest. The candidates take turns.
std::vector<std::vector<double>> AllreduceBench::measure(std::int64_t bytes) {
  constexpr std::int64_t kSmall = 8 << 10;
  constexpr int kWarm = 3, kFewest = 9, kMost = 400;
  const int calls = bytes <= kSmall ? 32 : 1;
  const auto count = static_cast<std::size_t>((bytes + 3) / 4);
  std::vector<std::vector<float>> own(candidates_.size());
  least_filling_ = std::numeric_limits<double>::infinity();
  const double start = seconds_now();
  for (int round = 0; round < kWarm + kMost; ++round) {
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (!candidates_[c].allreduce) continue;
      const double seconds = time_calls(candidates_[c], count, calls);
      if (round >= kWarm) own[c].push_back(static_cast<float>(seconds));
    }
    std::array<double, 1> over = {world_.rank() == 0 && round >= kWarm + kFewest && seconds_now() - start > arguments_.seconds ? 1.0 : 0.0};
    world_.sum(over);
    if (over[0] > 0) break;
  }
  std::vector<std::vector<double>> slowest(candidates_.size());
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const std::vector<float> all = world_.all_gather(std::span<const float>(own[c]));
    slowest[c].resize(own[c].size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      double& value = slowest[c][i % own[c].size()];
      value = std::max(value, static_cast<double>(all[i]));
    }
  }
  return slowest;
}

Json AllreduceBench::row(std::int64_t bytes) {
  const std::vector<std::vector<double>> seconds = measure(bytes);
  double mpi = 0;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    if (candidates_[c].name == "mpi") mpi = spread_of(seconds[c]).median;
  }
  Json algorithms = Json::object();
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const Candidate& candidate = candidates_[c];
    if (!candidate.allreduce) {
      algorithms[candidate.name] = {{"skipped", candidate.skipped}};
      continue;
    }
    std::vector<double> microseconds = seconds[c];
    for (double& value : microseconds) value *= 1e6;
    const Spread spread = spread_of(microseconds);
    const double moved = 2.0 * (world_.size() - 1) / world_.size() * static_cast<double>(bytes);
    algorithms[candidate.name] = {{"us", to_json(spread)},
                                  {"ratio_to_mpi", mpi > 0 ? spread.median * 1e-6 / mpi : 0},
                                  {"bus_gb_per_s", spread.median > 0 ? moved / spread.median * 1e-3 : 0}};
  }
  return {{"bytes", bytes}, {"algorithms", algorithms}};
}

std::string AllreduceBench::text(const Json& document) const {
  std::string text =
      fmt::format("{:>9} {:<20} {:>11} {:>11} {:>11} {:>9} {:>10}\n", "bytes", "algorithm", "median us", "min", "max", "x mpi", "bus GB/s");
  for (const Candidate& candidate : candidates_) {
    if (!candidate.allreduce) text += fmt::format("{:>9} {:<20} not measured: {}\n", "", candidate.name, candidate.skipped);
  }
  for (const Json& row : document["sizes"]) {
    std::string size = bytes_text(row["bytes"].get<double>());
    for (const auto& [name, figures] : row["algorithms"].members()) {
      if (figures.contains("skipped")) continue;
      const Json& us = figures["us"];
      text += fmt::format("{:>9} {:<20} {:>11.2f} {:>11.2f} {:>11.2f} {:>9.2f} {:>10.2f}\n", size, name == "mpi" ? "MPI_Allreduce" : name,
                          us["median"].get<double>(), us["min"].get<double>(), us["max"].get<double>(),
                          figures["ratio_to_mpi"].get<double>(), figures["bus_gb_per_s"].get<double>());
      size.clear();
    }
  }
  return text;
}

void AllreduceBench::operator()() {
  Json document{{"bench", "allreduce"}, {"setting", bench_setting(world_, 1)}};
  Json rows = Json::array();
  for (const std::int64_t bytes : arguments_.sizes) rows.push_back(row(bytes));
  document["sizes"] = rows;
  if (world_.rank() == 0) print_bench(arguments_.json, document, text(document));
}

}  // namespace

void add_bench_allreduce(Command& bench) {
  auto arguments = std::make_shared<AllreduceArguments>();
  Command command = bench.add_command("allreduce", "Every allreduce algorithm against MPI_Allreduce, by size of the buffer");
  const auto whole_floats = [](const std::string& bytes) {
    return std::stoull(bytes) % sizeof(float) == 0 ? "" : bytes + " bytes are no whole number of floats (4 bytes each)";
  };
  command.option("--sizes", arguments->sizes, "Bytes of float buffers, multiples of 4, e.g. 8,4KB,1MB (default: 8 B to 64 MB)")
      .delimiter(',')
      .size_units()
      .at_least(4)
      .check(whole_floats);
  const auto names = allreduce_names().subspan(1);  // without auto
  command.option("--algorithms", arguments->algorithms, "Only these, e.g. shared,ring; MPI_Allreduce always runs (default: all)")
      .delimiter(',')
      .lists({names.begin(), names.end()});
  command.option("--seconds", arguments->seconds, "Time for each size, roughly").show_default().above_zero("seconds");
  command.flag("--private-memory", arguments->private_memory,
               "Of buffers that other ranks cannot see, instead of those that the algorithm allocates, as training does");
  command.flag("--json", arguments->json, "Print one JSON document");
  command.footer(
      "Buffers are written anew between timed calls: a buffer that is already equal and in the cache flatters. A call's time is that\n"
      "of the rank that needed longest; the algorithms take turns. Bus bandwidth: 2 (N-1)/N x bytes / time.\n"
      "JSON: bench, setting, sizes: [{bytes, algorithms: {NAME: {us: {median, min, max, ...}, ratio_to_mpi, bus_gb_per_s} or\n"
      "{skipped}}}].\n\n"
      "Example:\n"
      "  mpirun -np 2 lockstep bench allreduce --sizes 8,64KB,1MB");
  command.callback([arguments] {
    for (const std::string& name : arguments->algorithms) allreduce_from_name(name);
    run_on_ranks([&](World& world) { AllreduceBench(*arguments, world)(); });
  });
}

}  // namespace lockstep
