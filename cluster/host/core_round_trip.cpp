#include "cluster/host/core_round_trip.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <thread>
#include <vector>

#include "cluster/host/placement.h"
#include "cluster/host/shared_memory.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;

constexpr std::uint32_t kRounds = 50;                                       // of a sample
constexpr std::uint32_t kOver = std::numeric_limits<std::uint32_t>::max();  // instead of a round: there are no more
constexpr Nanoseconds kTime{2e6};
constexpr double kSlowest = 3000;    // ns; beyond it a side had no core
constexpr std::size_t kApart = 256;  // bytes: no two flags in lines that are fetched together

/// Two flags, one for each side.
struct Table {
  std::byte* memory;
  std::atomic_ref<std::uint32_t> flag(int side) const {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(memory + static_cast<std::size_t>(side) * kApart));
  }
};

void wait_for(std::atomic_ref<std::uint32_t> flag, std::uint32_t value) {
  constexpr int kPatience = 100'000;  // then the other side may have no core
  for (int spins = 1; flag.load(std::memory_order_acquire) < value; ++spins) {
    if (spins % kPatience == 0) sched_yield();
  }
}

/// Nanoseconds of a round trip: of the fastest sample, since other programs only make it slower. 0 if even that one was disturbed.
double serve(const Table& table) {
  double fastest = std::numeric_limits<double>::infinity();
  std::uint32_t round = 0;
  const auto begin = Clock::now();
  for (auto start = begin; start - begin < kTime;) {
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      table.flag(0).store(++round, std::memory_order_release);
      wait_for(table.flag(1), round);
    }
    const auto end = Clock::now();
    fastest = std::min(fastest, Nanoseconds(end - start).count() / kRounds);
    start = end;
  }
  table.flag(0).store(kOver, std::memory_order_release);
  return fastest <= kSlowest ? fastest : 0;
}

void answer(const Table& table) {
  for (std::uint32_t round = 1;; ++round) {
    wait_for(table.flag(0), round);
    if (table.flag(0).load(std::memory_order_relaxed) == kOver) return;
    table.flag(1).store(round, std::memory_order_release);
  }
}

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// Two threads on the first two cores of this process's mask; 0 if it has only one.
double between_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  if (cores.size() < 2) return 0;
  alignas(kApart) std::array<std::byte, 2 * kApart> memory{};
  const Table table{memory.data()};
  double result = 0;
  std::thread server([&] {
    pin(cores[0]);
    result = serve(table);
  });
  std::thread answerer([&] {
    pin(cores[1]);
    answer(table);
  });
  server.join();
  answerer.join();
  return result;
}

/// The slowest of the pairs (first rank of the host, another one), on that first rank; 0 on the others.
double between_ranks(const World& world) {
  const SharedMemory memory(world, 2 * kApart);
  SpinBarrier barrier(world);
  double slowest = 0;
  for (int other = 1; other < world.local_size(); ++other) {
    const Table table{memory.segment(other)};
    if (world.local_rank() == 0) slowest = std::max(slowest, serve(table));
    if (world.local_rank() == other) answer(table);
    barrier.wait();
  }
  return slowest;
}

}  // namespace

std::optional<CoreRoundTrip> core_round_trip(const World& world) {
  const auto slowest = [&](float own) {
    const std::vector<float> all = world.all_gather(std::span<const float>(&own, 1));
    return *std::max_element(all.begin(), all.end());
  };
  const bool crowded = world.local_size() > host_cores(world);
  if (slowest(crowded ? 1 : 0) > 0) return {};
  const float nanoseconds = slowest(static_cast<float>(world.size() > 1 ? between_ranks(world) : between_threads()));
  if (nanoseconds <= 0) return {};
  return CoreRoundTrip{nanoseconds};
}

bool ranks_are_far(const World& world) {
  if (world.size() == 1) return false;
  const std::optional<CoreRoundTrip> trip = core_round_trip(world);
  return trip && !trip->near();
}

}  // namespace lockstep
