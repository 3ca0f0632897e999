#include "io/data_digest.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "cluster/fingerprint.h"
#include "cluster/world.h"
#include "io/hdf5_arrays.h"

namespace lockstep {
namespace {

constexpr int kNice = 10;  // a step comes first where cores are taken
constexpr std::int64_t kDirectBytes = std::int64_t{1} << 20;    // of rows read at a time: they are still in the cache when they are hashed
constexpr std::int64_t kChunkedBytes = std::int64_t{16} << 20;  // each chunk shall be decoded once
constexpr std::int64_t kLargestChunk = std::int64_t{256} << 20;

/// Which copy of the files this rank sees.
std::string key_of(const RowArray& array) {
  std::string stamps;
  for (const RowArray::Part& part : array.parts) {
    stamps += fmt::format("{} {} {} {};", part.stamp.inode, part.stamp.bytes, part.stamp.written, part.stamp.changed);
  }
  return fmt::format("{:016x}", XXH3_64bits(stamps.data(), stamps.size()));
}

/// Rows of a part that are read at a time: of whole chunks, unless a chunk is too large for that.
std::int64_t block_rows(const RowArrays& arrays, const RowArray::Part& part) {
  const std::int64_t bytes = arrays.features.direct() ? kDirectBytes : kChunkedBytes;
  const std::int64_t fitting = std::max<std::int64_t>(1, bytes / arrays.row_bytes());
  const std::int64_t chunk = part.info.chunk.empty() ? 1 : std::max<std::int64_t>(1, part.info.chunk.front());
  if (chunk * arrays.row_bytes() > kLargestChunk) return fitting;
  return std::max<std::int64_t>(1, fitting / chunk) * chunk;
}

/// The end of the block in which a row lies.
std::int64_t end_of_block(const RowArrays& arrays, std::int64_t row) {
  const std::vector<RowArray::Part>& parts = arrays.features.parts;
  const RowArray::Part& part =
      *std::prev(std::upper_bound(parts.begin(), parts.end(), row, [](std::int64_t r, const RowArray::Part& p) { return r < p.first; }));
  const std::int64_t block = block_rows(arrays, part), local = row - part.first;
  return part.first + std::min((local / block + 1) * block, part.info.rows());
}

std::string type_text(const RowArray& array, const Shape& shape) {
  return std::string(type_name(array.type)) + (shape.empty() ? "" : fmt::format(" ({})", fmt::join(shape, ", ")));
}

/// A digest as text for World::all_gather.
std::string bytes_of(const RowDigest& digest) {
  const std::array<std::uint64_t, 3> sums = {digest.features, digest.truth, digest.weight};
  return {reinterpret_cast<const char*>(sums.data()), sizeof sums};
}

RowDigest digest_of(const std::string& bytes) {
  std::array<std::uint64_t, 3> sums{};
  std::memcpy(sums.data(), bytes.data(), sizeof sums);
  return {sums[0], sums[1], sums[2]};
}

}  // namespace

/// The thread that reads rows [first, last) of the data set.
struct DataDigest::Reading {
  Reading(const Hdf5Dataset& from, RowRange range, bool aside) : data(from), rows(range), thread([this, aside] { run(aside); }) {}
  ~Reading() {
    stop = true;
    thread.join();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  void run(bool aside) {
    if (aside) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // of this thread alone; where it is not allowed nothing is lost
    }
    std::exception_ptr failure;
    try {
      read();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    error = failure;
    done = true;
    changed.notify_all();
  }

  void read() {
    if (rows.size() == 0) return;
    const RowArrays& arrays = data.arrays().arrays;
    const std::int64_t shift = data.range().first;
    RowFiles files(arrays);
    std::int64_t most = 1;
    for (const RowArray::Part& part : arrays.features.parts) most = std::max(most, std::min(block_rows(arrays, part), rows.size()));
    RowStore store(arrays, most);
    std::vector<std::int64_t> numbers;
    for (std::int64_t row = rows.first; row < rows.last && !stop;) {
      const std::int64_t end = std::min(rows.last, end_of_block(arrays, row + shift) - shift);
      files.read(row + shift, end + shift, 0, store);
      numbers.resize(static_cast<std::size_t>(end - row));
      std::iota(numbers.begin(), numbers.end(), row);
      digest += digest_rows(store, numbers);
      row = end;
      ++blocks;
    }
  }

  /// Until the thread is done; rethrows what it has thrown. `beat` is called whenever it got on.
  void wait(const std::function<void()>& beat) {
    std::unique_lock lock(mutex);
    for (std::int64_t seen = 0; !changed.wait_for(lock, std::chrono::seconds(1), [this] { return done.load(); });) {
      if (blocks.load() != seen) beat();
      seen = blocks.load();
    }
    if (error) std::rethrow_exception(error);
  }

  const Hdf5Dataset data;
  const RowRange rows;
  RowDigest digest;  // the thread's until done
  std::atomic<std::int64_t> blocks{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> done{false};  // set under the mutex, for who waits
  std::exception_ptr error;
  std::thread thread;  // last: it uses the others
};

DataDigest::DataDigest(const World& world, std::string what, const Hdf5Dataset& data) : world_(world), what_(std::move(what)), data_(data) {
  agree_on(world, what_ + " (" + data.description() + ")", describe(nullptr));
  keys_ = world.all_gather(key_of(data.arrays().arrays.features));
  hosts_ = world.all_gather(world.hostname());
  copies_ = static_cast<int>(std::set<std::string>(keys_.begin(), keys_.end()).size());
}

DataDigest::~DataDigest() = default;

void DataDigest::start(bool aside) {
  std::int64_t before = 0, readers = 0;  // ranks with this rank's copy
  const std::string& own = keys_[static_cast<std::size_t>(world_.rank())];
  for (std::size_t r = 0; r < keys_.size(); ++r) {
    before += keys_[r] == own && r < static_cast<std::size_t>(world_.rank());
    readers += keys_[r] == own;
  }
  reading_ = std::make_unique<Reading>(data_, RowRange{data_.rows() * before / readers, data_.rows() * (before + 1) / readers}, aside);
}

bool DataDigest::read() const noexcept { return reading_->done; }

bool DataDigest::read_by_all() const {
  std::int64_t left = read() ? 0 : 1;
  world_.sum(std::span(&left, 1));
  return left == 0;
}

void DataDigest::compare() {
  world_.agree([this] { reading_->wait([this] { world_.activity().beat(); }); });
  const std::vector<std::string> parts = world_.all_gather(bytes_of(reading_->digest));
  reading_.reset();
  const auto digest_of_copy = [&](const std::string& key) {
    RowDigest sum;
    for (std::size_t r = 0; r < parts.size(); ++r) {
      if (keys_[r] == key) sum += digest_of(parts[r]);
    }
    return sum;
  };
  const RowDigest first = digest_of_copy(keys_[0]);
  for (std::size_t r = 1; r < keys_.size(); ++r) {
    const RowDigest other = digest_of_copy(keys_[r]);
    if (other == first) continue;
    throw AgreedError(fmt::format("{} differs: {} on {} holds {}, but on {} {}; give all hosts the same files", what_, data_.description(),
                                  hosts_[r], describe(&other), hosts_[0], describe(&first)),
                      kFailed, static_cast<int>(r), hosts_[r]);
  }
  text_ = describe(&first);
}

std::string DataDigest::describe(const RowDigest* digest) const {
  const RowArrays& arrays = data_.arrays().arrays;
  const auto width = [](const RowArray& array) { return array.width == 1 ? Shape{} : Shape{array.width}; };
  const auto sum = [digest](std::uint64_t RowDigest::*array) {
    return digest == nullptr ? std::string() : fmt::format(" {:016x}", digest->*array);
  };
  std::string text =
      fmt::format("{} rows, x {}{}", data_.rows(), type_text(arrays.features, data_.sample_shape()), sum(&RowDigest::features));
  if (arrays.truth) text += fmt::format(", y {}{}", type_text(*arrays.truth, width(*arrays.truth)), sum(&RowDigest::truth));
  if (arrays.weight) text += fmt::format(", weight {}{}", type_text(*arrays.weight, width(*arrays.weight)), sum(&RowDigest::weight));
  return text;
}

void expect_same_data(const World& world, const Hdf5Dataset& data) {
  DataDigest digest(world, "the data", data);
  if (digest.copies() == 1) return;
  digest.start(false);
  digest.compare();
}

}  // namespace lockstep
