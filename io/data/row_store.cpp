#include "io/data/row_store.h"

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kAhead = 2;           // rows; a row of pictures takes longer to come than to convert
constexpr std::int64_t kAheadBytes = 1024;  // of each such row; beyond, the processor's own prefetcher has caught on
constexpr std::int64_t kLine = 64;

void prefetch(const RowStore::Column& column, std::int64_t slot) {
  const std::byte* row = column.bytes.get() + slot * column.row_bytes;
  for (std::int64_t at = 0; at < std::min(column.row_bytes, kAheadBytes); at += kLine) __builtin_prefetch(row + at);
}

template <class Finish>
void copy_column(const RowStore::Column& column, std::span<const std::int64_t> slots, float* out, const Finish& finish) {
  for (std::size_t i = 0; i < slots.size(); ++i, out += column.width) {
    if (i + kAhead < slots.size() && slots[i + kAhead] >= 0) prefetch(column, slots[i + kAhead]);
    if (slots[i] < 0) {
      std::fill_n(out, column.width, 0.F);
    } else {
      column.to_float(column.bytes.get() + slots[i] * column.row_bytes, out, column.width);
      finish(out, column.width);
    }
  }
}

void copy_column(const RowStore::Column& column, std::span<const std::int64_t> slots, float* out) {
  copy_column(column, slots, out, [](float*, std::int64_t) {});
}

}  // namespace

std::int64_t RowArrays::row_bytes() const {
  return features.row_bytes() + (truth ? truth->row_bytes() : 0) + (weight ? weight->row_bytes() : 0);
}

RowStore::Column::Column(const RowArray& array, std::int64_t slots)
    : width(array.width),
      row_bytes(array.row_bytes()),
      to_float(lockstep::to_float(array.type)),
      bytes(allocate_large(static_cast<std::size_t>(slots * row_bytes))) {}

RowStore::RowStore(const RowArrays& arrays, std::int64_t slots) : features(arrays.features, slots) {
  if (arrays.truth) truth = Column(*arrays.truth, slots);
  if (arrays.weight) weight = Column(*arrays.weight, slots);
}

void RowStore::copy(std::span<const std::int64_t> slots, const RowTarget& target) const {
  if (target.features != nullptr) {
    copy_column(features, slots, target.features, [&target](float* row, std::int64_t width) { target.rescale(row, width); });
  }
  if (target.truth != nullptr && truth.bytes) copy_column(truth, slots, target.truth);
  if (target.weight == nullptr) return;
  if (weight.bytes) {
    copy_column(weight, slots, target.weight);
  } else {
    std::transform(slots.begin(), slots.end(), target.weight, [](std::int64_t slot) { return slot < 0 ? 0.F : 1.F; });
  }
}

RowFiles::RowFiles(const RowArrays& arrays) : features_(arrays.features) {
  if (arrays.truth) truth_.emplace(*arrays.truth);
  if (arrays.weight) weight_.emplace(*arrays.weight);
}

void RowFiles::read(std::int64_t first, std::int64_t last, std::int64_t slot, RowStore& store) {
  features_.read(first, last, store.features.slot(slot));
  if (truth_) truth_->read(first, last, store.truth.slot(slot));
  if (weight_) weight_->read(first, last, store.weight.slot(slot));
  expect_unchanged();
}

void RowFiles::gather(std::span<const std::int64_t> rows, RowStore& store) {
  features_.gather(rows, store.features.slot(0));
  if (truth_) truth_->gather(rows, store.truth.slot(0));
  if (weight_) weight_->gather(rows, store.weight.slot(0));
  expect_unchanged();
}

void RowFiles::expect_unchanged() const {
  features_.expect_unchanged();
  if (truth_) truth_->expect_unchanged();
  if (weight_) weight_->expect_unchanged();
}

}  // namespace lockstep
