#include "io/hdf5/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <numeric>
#include <thread>

#include "cluster/error.h"
#include "core/network/memory_need.h"
#include "io/data/reread_check.h"

// The two readers of an Hdf5Dataset: rows in memory, and rows that stream through two windows.
namespace lockstep {
namespace {

using Arrays = std::shared_ptr<const Hdf5Dataset::Arrays>;

constexpr std::int64_t kDirectWindow = std::int64_t{16} << 20;  // bytes; rows that are read one by one gain nothing from larger windows

/// Which rows a reader may be asked for, and the slot of each when the ranges lie one behind the other.
class Ranges {
 public:
  explicit Ranges(std::vector<RowRange> ranges) : ranges_(std::move(ranges)) {
    for (const RowRange& range : ranges_) {
      first_slot_.push_back(slots_);
      slots_ += range.size();
    }
  }
  const std::vector<RowRange>& ranges() const { return ranges_; }
  std::int64_t slots() const { return slots_; }

  std::int64_t slot(std::int64_t row) const {
    if (row == -1) return -1;
    const auto after =
        std::upper_bound(ranges_.begin(), ranges_.end(), row, [](std::int64_t r, const RowRange& range) { return r < range.first; });
    const auto i = static_cast<std::size_t>(after - ranges_.begin());
    if (i == 0 || row >= ranges_[i - 1].last) throw Error("row " + std::to_string(row) + " was not opened by this reader");
    return first_slot_[i - 1] + row - ranges_[i - 1].first;
  }

 private:
  std::vector<RowRange> ranges_;
  std::vector<std::int64_t> first_slot_;
  std::int64_t slots_ = 0;
};

void check_left(std::int64_t count, std::size_t left) {
  if (count >= 0 && static_cast<std::size_t>(count) <= left) return;
  throw Error("read of " + std::to_string(count) + " rows, but the announced order has " + std::to_string(left) + " left");
}

/// Looks at the features in slots [first, last); `row` tells a slot's row of all files. Error.
template <class Row>
void expect_finite_slots(const Hdf5Dataset::Arrays& arrays, RowStore& store, std::int64_t first, std::int64_t last, const Row& row) {
  const RowArray& features = arrays.arrays.features;
  const std::int64_t bad = first_not_finite(features.type, store.features.slot(first), (last - first) * features.width);
  if (bad < 0) return;
  const std::int64_t slot = first + bad / features.width, element = bad % features.width;
  const double value = element_value(features.type, store.features.slot(slot) + element * type_bytes(features.type));
  throw Error(not_finite_text(features.where(row(slot)), arrays.sample_shape, element, value));
}

class MemoryReader final : public RowReader {
 public:
  MemoryReader(Arrays arrays, Ranges ranges, std::int64_t shift)
      : arrays_(std::move(arrays)), ranges_(std::move(ranges)), shift_(shift), store_(arrays_->arrays, ranges_.slots()) {
    RowFiles files(arrays_->arrays);
    for (const RowRange& range : ranges_.ranges()) {
      if (range.size() > 0) files.read(range.first + shift, range.last + shift, ranges_.slot(range.first), store_);
    }
  }

  void begin(std::span<const std::int64_t> order) override {
    slots_.resize(order.size());
    std::transform(order.begin(), order.end(), slots_.begin(), [this](std::int64_t row) { return ranges_.slot(row); });
    next_ = 0;
  }

  void read(std::int64_t count, const RowTarget& target) override {
    check_left(count, slots_.size() - next_);
    store_.copy(std::span(slots_).subspan(next_, static_cast<std::size_t>(count)), target);
    next_ += static_cast<std::size_t>(count);
  }

  void expect_finite() override {
    for (const RowRange& range : ranges_.ranges()) {
      if (range.size() == 0) continue;
      const std::int64_t first = ranges_.slot(range.first);
      expect_finite_slots(*arrays_, store_, first, first + range.size(),
                          [&](std::int64_t slot) { return range.first + slot - first + shift_; });
    }
  }

 private:
  const Arrays arrays_;
  Ranges ranges_;
  const std::int64_t shift_;
  RowStore store_;
  std::vector<std::int64_t> slots_;  // of the order
  std::size_t next_ = 0;
};

/// Some entries of the order, and the rows they need.
struct Window {
  explicit Window(const RowArrays& arrays, std::int64_t rows) : store(arrays, rows) {}
  RowStore store;
  std::vector<std::int64_t> slots;  // of the entries
  bool full = false;                // the consumer's; else the thread's
};

/// The order is cut into windows of entries. A thread fills one of two windows while read() copies from the other.
class StreamingReader final : public RowReader {
 public:
  StreamingReader(Arrays arrays, Ranges ranges, std::int64_t shift, std::int64_t window_rows)
      : arrays_(std::move(arrays)),
        ranges_(std::move(ranges)),
        files_(arrays_->arrays),
        rereads_(arrays_->arrays.features),
        shift_(shift),
        window_rows_(static_cast<std::size_t>(window_rows)),
        windows_{Window(arrays_->arrays, window_rows), Window(arrays_->arrays, window_rows)} {}
  ~StreamingReader() override { end_thread(); }

  void begin(std::span<const std::int64_t> order) override {
    end_thread();
    for (const std::int64_t row : order) ranges_.slot(row);  // every row is one of ours
    order_ = order;
    for (Window& window : windows_) window.full = false;
    next_ = 0;
    stop_ = false;
    error_ = nullptr;
    thread_ = std::thread([this] { fill_windows(); });
  }

  void read(std::int64_t count, const RowTarget& target) override {
    check_left(count, order_.size() - next_);
    const std::int64_t width = arrays_->arrays.features.width, truth = arrays_->arrays.truth ? arrays_->arrays.truth->width : 0;
    for (std::int64_t done = 0; done < count;) {
      Window& window = windows_[next_ / window_rows_ % 2];
      wait_full(window);
      const std::size_t at = next_ % window_rows_;
      const std::size_t some = std::min(window.slots.size() - at, static_cast<std::size_t>(count - done));
      window.store.copy(std::span(window.slots).subspan(at, some),
                        {target.features == nullptr ? nullptr : target.features + done * width,
                         target.truth == nullptr ? nullptr : target.truth + done * truth,
                         target.weight == nullptr ? nullptr : target.weight + done, target.scale, target.offset});
      next_ += some;
      done += static_cast<std::int64_t>(some);
      if (at + some == window.slots.size()) hand_over(window, false);
    }
  }

  void expect_finite() override {
    end_thread();
    expects_finite_ = true;
  }

 private:
  void wait_full(const Window& window) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return window.full || error_; });
    if (!window.full) std::rethrow_exception(error_);
  }

  void hand_over(Window& window, bool full) {
    const std::lock_guard lock(mutex_);
    window.full = full;
    changed_.notify_all();
  }

  void end_thread() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void fill_windows() {
    try {
      rereads_.begin();
      for (std::size_t first = 0; first < order_.size(); first += window_rows_) {
        Window& window = windows_[first / window_rows_ % 2];
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return !window.full || stop_; });
          if (stop_) return;
        }
        fill(window, order_.subspan(first, std::min(window_rows_, order_.size() - first)));
        if (first + window_rows_ >= order_.size()) rereads_.end();
        hand_over(window, true);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      changed_.notify_all();
    }
  }

  /// Reads the rows of some entries in the order of the file, each once.
  void fill(Window& window, std::span<const std::int64_t> entries) {
    rows_.clear();
    for (const std::int64_t row : entries) {
      if (row >= 0) rows_.push_back(row + shift_);
    }
    std::sort(rows_.begin(), rows_.end());
    rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
    files_.gather(rows_, window.store);
    rereads_.add(window.store, rows_);
    if (expects_finite_) {
      const auto count = static_cast<std::int64_t>(rows_.size());
      expect_finite_slots(*arrays_, window.store, 0, count, [this](std::int64_t slot) { return rows_[static_cast<std::size_t>(slot)]; });
    }
    window.slots.resize(entries.size());
    std::transform(entries.begin(), entries.end(), window.slots.begin(), [this](std::int64_t row) {
      return row < 0 ? -1 : std::lower_bound(rows_.begin(), rows_.end(), row + shift_) - rows_.begin();
    });
  }

  const Arrays arrays_;
  const Ranges ranges_;
  RowFiles files_;       // the thread's while it runs
  RereadCheck rereads_;  // the thread's
  const std::int64_t shift_;
  const std::size_t window_rows_;
  bool expects_finite_ = false;
  std::array<Window, 2> windows_;
  std::vector<std::int64_t> rows_;  // the thread's: ascending rows of a window
  std::span<const std::int64_t> order_;
  std::size_t next_ = 0;  // entry of the order that is read next
  std::mutex mutex_;      // guards Window::full, stop_ and error_
  std::condition_variable changed_;
  bool stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RowReader> make_hdf5_reader(Arrays arrays, std::vector<RowRange> ranges, std::int64_t shift, std::int64_t memory_budget) {
  Ranges mine(std::move(ranges));
  const std::int64_t row_bytes = arrays->arrays.row_bytes();
  const std::int64_t fitting = memory_budget / row_bytes;
  const bool fits = mine.slots() <= fitting;
  const std::int64_t window =
      std::max<std::int64_t>(1, arrays->arrays.features.direct() ? std::min(fitting / 2, kDirectWindow / row_bytes) : fitting / 2);
  const std::int64_t held = fits ? mine.slots() : 2 * window;
  expect_memory(static_cast<double>(held * row_bytes),
                fmt::format("{}: holding {} of this rank's {} rows", arrays->pattern, held, mine.slots()),
                "Lower data.memory, so that they stream");
  try {
    if (fits) return std::make_unique<MemoryReader>(arrays, std::move(mine), shift);
    return std::make_unique<StreamingReader>(arrays, std::move(mine), shift, window);
  } catch (const std::bad_alloc&) {
    throw Error(arrays->pattern + ": no memory for " + std::to_string(held * row_bytes >> 20) +
                " MiB of rows; lower data.memory so that they stream");
  }
}

}  // namespace lockstep
