#include "cluster/collectives/allreduce_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <limits>

namespace lockstep {
namespace {

constexpr std::array<std::size_t, 5> kSizes = {1U << 10U, 8U << 10U, 64U << 10U, 512U << 10U, 4U << 20U};
constexpr double kBudget = 0.25;  // seconds
constexpr std::size_t kTimes = 5;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A straight line through the two measurements next to `bytes`.
double between(const std::vector<std::size_t>& sizes, const std::vector<double>& seconds, std::size_t bytes) {
  if (sizes.size() == 1 || bytes <= sizes[0]) return seconds[0];
  std::size_t next = 1;
  while (next + 1 < sizes.size() && sizes[next] < bytes) ++next;
  const double share = static_cast<double>(bytes - sizes[next - 1]) / static_cast<double>(sizes[next] - sizes[next - 1]);
  return seconds[next - 1] + share * (seconds[next] - seconds[next - 1]);
}

/// A ring sends as few bytes as halving and doubling do, and both fewer than recursive doubling; where N is not a power of two, folding
/// makes halving and doubling lose, and with two ranks it is a ring.
std::vector<AllreduceAlgorithm> candidates(int ranks) {
  std::vector<AllreduceAlgorithm> algorithms = {AllreduceAlgorithm::recursive_doubling, AllreduceAlgorithm::ring};
  if (ranks > 2 && std::has_single_bit(static_cast<unsigned>(ranks))) algorithms.push_back(AllreduceAlgorithm::halving_doubling);
  return algorithms;
}

/// Median over the repetitions of what the slowest rank took. Collective; the same on all ranks.
double time_of(const World& world, Allreduce& allreduce, std::span<float> data) {
  const auto ranks = static_cast<std::size_t>(world.size());
  std::vector<double> taken(kTimes * ranks), slowest(kTimes);
  allreduce.sum(data);
  for (std::size_t i = 0; i < kTimes; ++i) {
    world.barrier();
    const double start = now();
    allreduce.sum(data);
    taken[i * ranks + static_cast<std::size_t>(world.rank())] = now() - start;
  }
  world.sum(taken);
  for (std::size_t i = 0; i < kTimes; ++i) slowest[i] = *std::max_element(&taken[i * ranks], &taken[i * ranks] + ranks);
  std::sort(slowest.begin(), slowest.end());
  return slowest[kTimes / 2];
}

/// Bytes that a rank sends for each byte of the buffer.
double bytes_sent(AllreduceAlgorithm algorithm, int ranks) {
  if (algorithm == AllreduceAlgorithm::shared) return 0;
  if (algorithm != AllreduceAlgorithm::recursive_doubling) return 2.0 * (ranks - 1) / ranks;
  const auto n = static_cast<unsigned>(ranks);
  return std::bit_width(n) - 1 + (std::has_single_bit(n) ? 0 : 2);
}

std::string size_text(std::size_t bytes) {
  if (bytes >= 1U << 20U) return std::to_string(bytes >> 20U) + " MB";
  return bytes >= 1U << 10U ? std::to_string(bytes >> 10U) + " KB" : std::to_string(bytes) + " B";
}

}  // namespace

AllreduceTable::AllreduceTable(const std::vector<std::size_t>& sizes, const std::vector<Measured>& measured) {
  constexpr std::size_t kLeast = 64, kMost = std::size_t{1} << 30U;
  for (std::size_t bytes = kLeast; bytes <= kMost; bytes *= 2) {
    const auto fastest = std::min_element(measured.begin(), measured.end(), [&](const Measured& a, const Measured& b) {
      return between(sizes, a.seconds, bytes) < between(sizes, b.seconds, bytes);
    });
    if (!rows_.empty() && rows_.back().algorithm == fastest->algorithm) {
      rows_.back().bytes = bytes;
    } else {
      rows_.push_back({bytes, fastest->algorithm});
    }
  }
}

AllreduceAlgorithm AllreduceTable::at(std::size_t bytes) const {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& candidate) { return bytes <= candidate.bytes; });
  return row == rows_.end() ? rows_.back().algorithm : row->algorithm;
}

double AllreduceTable::sent(std::size_t bytes, int ranks) const {
  return bytes_sent(empty() ? AllreduceAlgorithm::ring : at(bytes), ranks);
}

std::string AllreduceTable::text() const {
  if (rows_.size() == 1) return std::string(allreduce_name(rows_[0].algorithm));
  std::string text;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::string(allreduce_name(rows_[i].algorithm));
    text += i + 1 < rows_.size() ? " to " + size_text(rows_[i].bytes) : " above";
  }
  return text;
}

namespace {

/// Beyond the sizes measured nothing but the bytes on the wire counts: a point far out, on the one rate that the fastest of them showed
/// last. (The slopes of short measurements would let the one with the luckiest repetition win for ever.)
void extend(std::vector<std::size_t>& sizes, std::vector<AllreduceTable::Measured>& measured, int ranks) {
  const std::size_t last = sizes.back(), far = 16 * last;
  double rate = std::numeric_limits<double>::max();  // seconds for a byte on the wire
  for (const AllreduceTable::Measured& one : measured)
    rate = std::min(rate, one.seconds.back() / (static_cast<double>(last) * bytes_sent(one.algorithm, ranks)));
  for (AllreduceTable::Measured& one : measured) {
    one.seconds.push_back(one.seconds.back() + rate * bytes_sent(one.algorithm, ranks) * static_cast<double>(far - last));
  }
  sizes.push_back(far);
}

}  // namespace

AllreduceTable measure_allreduce(const World& world) {
  if (world.hosts() == 1) return AllreduceTable(AllreduceAlgorithm::shared);
  std::vector<std::unique_ptr<Allreduce>> allreduces;
  std::vector<AllreduceTable::Measured> measured;
  for (const AllreduceAlgorithm algorithm : candidates(world.size())) {
    allreduces.push_back(make_allreduce(world, algorithm));
    measured.push_back({algorithm, {}});
  }
  std::vector<float> data(kSizes.back() / sizeof(float));  // zeros: their sums stay zeros
  std::vector<std::size_t> sizes;
  const double start = now();
  double before = start;
  for (const std::size_t size : kSizes) {
    for (std::size_t i = 0; i < allreduces.size(); ++i) {
      measured[i].seconds.push_back(time_of(world, *allreduces[i], std::span(data).first(size / sizeof(float))));
    }
    sizes.push_back(size);
    // The next size is eight times as large; rank 0's clock decides for all.
    double next = now() - start + 8 * (now() - before);
    before = now();
    world.broadcast(std::as_writable_bytes(std::span(&next, 1)));
    if (next > kBudget) break;
  }
  for (AllreduceTable::Measured& algorithm : measured) world.broadcast(std::as_writable_bytes(std::span(algorithm.seconds)));
  extend(sizes, measured, world.size());
  return AllreduceTable(sizes, measured);
}

}  // namespace lockstep
