#include "core/dataset.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cluster/error.h"
#include "core/elementwise.h"

namespace lockstep {

void RowTarget::rescale(float* values, std::int64_t count) const {
  if (scale != 1 || offset != 0) affine(values, values, count, scale, offset);
}

std::string Dataset::where(std::int64_t row, RowPart) const { return description() + ", row " + std::to_string(row); }

void Dataset::each_truth(RowRange rows, const TruthVisitor& visit) const {
  constexpr std::int64_t kRows = 4096;
  if (rows.size() == 0) return;
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.size()));
  std::iota(order.begin(), order.end(), rows.first);
  const std::unique_ptr<RowReader> reader = open({rows});
  reader->begin(order);
  std::vector<float> truth(static_cast<std::size_t>(kRows * truth_width())), weight(static_cast<std::size_t>(kRows));
  for (std::int64_t first = rows.first; first < rows.last; first += kRows) {
    const std::int64_t count = std::min(kRows, rows.last - first);
    reader->read(count, {nullptr, truth.data(), weight.data()});
    visit(first, std::span(truth).first(static_cast<std::size_t>(count * truth_width())), std::span(weight).first(static_cast<std::size_t>(count)));
  }
}

namespace {

void copy_row(const std::vector<float>& from, std::int64_t row, std::int64_t width, float* to) {
  if (row < 0) {
    std::fill_n(to, width, 0.F);
  } else {
    std::memcpy(to, from.data() + row * width, static_cast<std::size_t>(width) * sizeof(float));
  }
}

class ArrayReader final : public RowReader {
 public:
  explicit ArrayReader(std::shared_ptr<const ArrayDataset::Values> values) : values_(std::move(values)) {}
  void begin(std::span<const std::int64_t> order) override {
    order_ = order;
    next_ = 0;
  }
  void read(std::int64_t count, const RowTarget& target) override {
    const std::int64_t width = elements(values_->sample_shape), truth = values_->truth_width;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = order_[next_++];
      if (target.features != nullptr) {
        copy_row(values_->features, row, width, target.features + i * width);
        if (row >= 0) target.rescale(target.features + i * width, width);
      }
      if (target.truth != nullptr) copy_row(values_->truth, row, truth, target.truth + i * truth);
      if (target.weight == nullptr) continue;
      target.weight[i] = row < 0 ? 0 : values_->weight.empty() ? 1 : values_->weight[static_cast<std::size_t>(row)];
    }
  }

 private:
  std::shared_ptr<const ArrayDataset::Values> values_;
  std::span<const std::int64_t> order_;
  std::size_t next_ = 0;
};

/// Shifts the rows of a slice to those of the whole.
class SliceReader final : public RowReader {
 public:
  SliceReader(std::unique_ptr<RowReader> whole, std::int64_t shift) : whole_(std::move(whole)), shift_(shift) {}
  void begin(std::span<const std::int64_t> order) override {
    order_.assign(order.begin(), order.end());
    for (std::int64_t& row : order_) row += row < 0 ? 0 : shift_;
    whole_->begin(order_);
  }
  void read(std::int64_t count, const RowTarget& target) override { whole_->read(count, target); }

 private:
  std::unique_ptr<RowReader> whole_;
  std::int64_t shift_;
  std::vector<std::int64_t> order_;
};

}  // namespace

ArrayDataset::ArrayDataset(Shape sample_shape, std::vector<float> features, std::vector<float> truth, std::vector<float> weight) {
  const std::int64_t width = elements(sample_shape);
  const auto size = static_cast<std::int64_t>(features.size());
  if (width < 1 || size % width != 0) {
    throw Error("array data set: " + std::to_string(size) + " features are no whole number of rows of shape " + to_string(sample_shape), kUsage);
  }
  const std::int64_t rows = size / width;
  const auto truths = static_cast<std::int64_t>(truth.size());
  if (truths > 0 && (rows == 0 || truths % rows != 0)) {
    throw Error("array data set: " + std::to_string(truths) + " truth values do not fit " + std::to_string(rows) + " rows", kUsage);
  }
  if (!weight.empty() && static_cast<std::int64_t>(weight.size()) != rows) {
    throw Error("array data set: expected one weight for each of " + std::to_string(rows) + " rows, found " + std::to_string(weight.size()), kUsage);
  }
  values_ = std::make_shared<const Values>(
      Values{std::move(sample_shape), rows, truths == 0 ? 0 : truths / rows, std::move(features), std::move(truth), std::move(weight)});
}

std::int64_t ArrayDataset::rows() const { return values_->rows; }
Shape ArrayDataset::sample_shape() const { return values_->sample_shape; }
std::int64_t ArrayDataset::truth_width() const { return values_->truth_width; }
std::unique_ptr<RowReader> ArrayDataset::open(std::vector<RowRange>) const { return std::make_unique<ArrayReader>(values_); }

RowSlice::RowSlice(const Dataset& whole, RowRange rows) : whole_(whole), rows_(rows) {
  if (rows.first < 0 || rows.first > rows.last || rows.last > whole.rows()) {
    throw Error(whole.description() + ": rows " + std::to_string(rows.first) + " to " + std::to_string(rows.last) + " are not within its " +
                    std::to_string(whole.rows()) + " rows",
                kUsage);
  }
}

std::string RowSlice::description() const {
  return whole_.description() + " rows " + std::to_string(rows_.first) + " to " + std::to_string(rows_.last);
}

void RowSlice::each_truth(RowRange rows, const TruthVisitor& visit) const {
  whole_.each_truth({rows.first + rows_.first, rows.last + rows_.first}, [&](std::int64_t first, std::span<const float> truth, std::span<const float> weight) {
    visit(first - rows_.first, truth, weight);
  });
}

std::unique_ptr<RowReader> RowSlice::open(std::vector<RowRange> ranges) const {
  for (RowRange& range : ranges) range = {range.first + rows_.first, range.last + rows_.first};
  return std::make_unique<SliceReader>(whole_.open(std::move(ranges)), rows_.first);
}

}  // namespace lockstep
