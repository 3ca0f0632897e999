#include "io/data/digest.h"

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
#include <optional>
#include <set>
#include <thread>

#include "cluster/fingerprint.h"
#include "cluster/host/process_limits.h"
#include "cluster/world.h"
#include "io/hdf5/arrays.h"

namespace lockstep {
namespace {

constexpr int kNice = 10;                                    // a step comes first where cores are taken
constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;  // of rows read at a time: still in the cache when they are hashed
constexpr std::int64_t kSlice = 4096;                        // rows hashed at a time

/// Which copy of the files this rank sees.
std::string key_of(const RowArray& array) {
  std::string stamps;
  for (const RowArray::Part& part : array.parts) {
    stamps += fmt::format("{} {} {} {};", part.stamp.inode, part.stamp.bytes, part.stamp.written, part.stamp.changed);
  }
  return fmt::format("{:016x}", XXH3_64bits(stamps.data(), stamps.size()));
}

const RowArray::Part& part_of(const RowArray& array, std::int64_t row) {
  const auto before = [](std::int64_t r, const RowArray::Part& part) { return r < part.first; };
  return *std::prev(std::upper_bound(array.parts.begin(), array.parts.end(), row, before));
}

/// Rows that are decoded together.
std::int64_t chunk_rows(const RowArray::Part& part) {
  return part.info.chunk.empty() ? 1 : std::clamp<std::int64_t>(part.info.chunk.front(), 1, part.info.rows());
}

/// Rows of a part that are read at a time: of whole chunks, so that each is decoded once, unless there is no memory for a chunk and for
/// what HDF5 decodes it into.
std::int64_t block_rows(const RowArray& array, const RowArray::Part& part) {
  const std::int64_t chunk = chunk_rows(part), fitting = std::max<std::int64_t>(1, kBlockBytes / array.row_bytes());
  if (chunk <= fitting) return fitting / chunk * chunk;
  const double row = static_cast<double>(array.row_bytes()), room = memory_room().bytes / 2;
  return 2 * row * static_cast<double>(chunk) <= room ? chunk : std::clamp(static_cast<std::int64_t>(room / (2 * row)), fitting, chunk);
}

/// The share of reader `index` of `count` in some rows of an array. Shares end where chunks do.
RowRange share_of(const RowArray& array, RowRange rows, std::int64_t index, std::int64_t count) {
  const auto boundary = [&](std::int64_t i) {
    if (i == count || rows.size() == 0) return rows.last;
    const std::int64_t row = rows.first + rows.size() * i / count;
    const RowArray::Part& part = part_of(array, row);
    return std::max(rows.first, row - (row - part.first) % chunk_rows(part));
  };
  return {boundary(index), boundary(index + 1)};
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

/// The thread that reads and hashes this rank's share of each array, one array after the other.
struct DataDigest::Reading {
  Reading(const Hdf5Dataset& from, std::int64_t reader, std::int64_t readers, bool beside)
      : data(from), index(reader), count(readers), aside(beside), thread([this] { run(); }) {}
  ~Reading() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
      changed.notify_all();
    }
    thread.join();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  void run() {
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
    const RowArrays& arrays = data.arrays().arrays;
    const auto direct = [](const std::optional<RowArray>& array) { return !array || array->direct(); };
    pauses = aside && !(arrays.features.direct() && direct(arrays.truth) && direct(arrays.weight));
    // Of this thread alone; where it is not allowed nothing is lost. Not where it takes HDF5's lock: the reader of the batches would wait
    // for it while it waits for a core.
    if (aside && !pauses) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
    digest.features = hash(arrays.features);
    if (arrays.truth) digest.truth = hash(*arrays.truth);
    if (arrays.weight) digest.weight = hash(*arrays.weight);
  }

  std::uint64_t hash(const RowArray& array) {
    const std::int64_t shift = data.range().first;
    const RowRange rows = share_of(array, {shift, shift + data.rows()}, index, count);
    RowFile file(array);
    RowStore::Column store;
    std::vector<std::int64_t> numbers;
    std::uint64_t sum = 0;
    std::int64_t slots = 0, block = 0;
    const RowArray::Part* part = nullptr;
    for (std::int64_t row = rows.first; row < rows.last && !stop;) {
      const auto start = std::chrono::steady_clock::now();
      if (const RowArray::Part* const found = &part_of(array, row); found != part) {
        part = found;
        block = block_rows(array, *part);
      }
      const std::int64_t local = row - part->first;
      const std::int64_t end = std::min(rows.last, part->first + std::min((local / block + 1) * block, part->info.rows()));
      if (end - row > slots) {
        store = {};  // first: the two together may be too much
        slots = std::min(block, rows.size());
        store = RowStore::Column(array, slots);
      }
      file.read(row, end, store.slot(0));
      file.expect_unchanged();
      for (std::int64_t first = row; first < end; first += kSlice) {
        numbers.resize(static_cast<std::size_t>(std::min(end - first, kSlice)));
        std::iota(numbers.begin(), numbers.end(), first - shift);
        sum += digest_rows(store, numbers, first - row);
      }
      row = end;
      ++blocks;
      if (pauses) pause(std::chrono::steady_clock::now() - start);
    }
    return sum;
  }

  /// Leaves HDF5's lock to the reader of the batches, until somebody waits for the digest.
  void pause(std::chrono::steady_clock::duration time) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, time, [this] { return stop || awaited; });
  }

  /// Until the thread is done; rethrows what it has thrown. `beat` is called whenever it got on.
  void wait(const std::function<void()>& beat) {
    std::unique_lock lock(mutex);
    awaited = true;
    changed.notify_all();
    for (std::int64_t seen = 0; !changed.wait_for(lock, std::chrono::seconds(1), [this] { return done.load(); });) {
      if (blocks.load() != seen) beat();
      seen = blocks.load();
    }
    if (error) std::rethrow_exception(error);
  }

  const Hdf5Dataset data;
  const std::int64_t index, count;  // of the ranks that share the reading
  const bool aside;
  bool pauses = false;  // the thread's
  RowDigest digest;     // the thread's until done
  std::atomic<std::int64_t> blocks{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable changed;
  bool awaited = false;           // under the mutex
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
  reading_ = std::make_unique<Reading>(data_, before, readers, aside);
}

bool DataDigest::read_by_all() const {
  std::int64_t left = reading_->done ? 0 : 1;
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
