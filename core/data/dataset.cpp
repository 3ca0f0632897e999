#include "core/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cluster/error.h"
#include "core/math/elementwise.h"

namespace lockstep {

void RowTarget::rescale(float* values, std::int64_t count) const {
  if (scale != 1 || offset != 0) affine(values, values, count, scale, offset);
}

std::string not_finite_text(const std::string& where, const Shape& sample_shape, std::int64_t element, double value) {
  std::string column = std::to_string(element);
  for (std::size_t axis = sample_shape.size(); sample_shape.size() > 1 && axis-- > 0; element /= sample_shape[axis]) {
    column = std::to_string(element % sample_shape[axis]) + (axis + 1 == sample_shape.size() ? "" : ", " + column);
  }
  return fmt::format("{}, column {} is {}, which is not a finite float32; replace it or leave out its row", where,
                     sample_shape.size() > 1 ? "(" + column + ")" : column, value);
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
    visit(first, std::span(truth).first(static_cast<std::size_t>(count * truth_width())),
          std::span(weight).first(static_cast<std::size_t>(count)));
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
  ArrayReader(const ArrayDataset& data, std::shared_ptr<const ArrayDataset::Values> values, std::vector<RowRange> ranges)
      : name_(data.description()), values_(std::move(values)), ranges_(std::move(ranges)) {}
  void expect_finite() override {
    const std::int64_t width = elements(values_->sample_shape);
    for (const RowRange& range : ranges_) {
      const auto first = values_->features.begin() + range.first * width, last = values_->features.begin() + range.last * width;
      const auto bad = std::find_if(first, last, [](float value) { return !std::isfinite(value); });
      if (bad == last) continue;
      const std::int64_t at = bad - values_->features.begin();
      throw Error(not_finite_text(name_ + ", row " + std::to_string(at / width), values_->sample_shape, at % width, *bad));
    }
  }
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
  const std::string name_;
  std::shared_ptr<const ArrayDataset::Values> values_;
  const std::vector<RowRange> ranges_;
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
  void expect_finite() override { whole_->expect_finite(); }

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
    throw Error("array data set: " + std::to_string(size) + " features are no whole number of rows of shape " + to_string(sample_shape),
                kUsage);
  }
  const std::int64_t rows = size / width;
  const auto truths = static_cast<std::int64_t>(truth.size());
  if (truths > 0 && (rows == 0 || truths % rows != 0)) {
    throw Error("array data set: " + std::to_string(truths) + " truth values do not fit " + std::to_string(rows) + " rows", kUsage);
  }
  if (!weight.empty() && static_cast<std::int64_t>(weight.size()) != rows) {
    throw Error("array data set: expected one weight for each of " + std::to_string(rows) + " rows, found " + std::to_string(weight.size()),
                kUsage);
  }
  values_ = std::make_shared<const Values>(
      Values{std::move(sample_shape), rows, truths == 0 ? 0 : truths / rows, std::move(features), std::move(truth), std::move(weight)});
}

std::int64_t ArrayDataset::rows() const { return values_->rows; }
Shape ArrayDataset::sample_shape() const { return values_->sample_shape; }
std::int64_t ArrayDataset::truth_width() const { return values_->truth_width; }
std::unique_ptr<RowReader> ArrayDataset::open(std::vector<RowRange> ranges) const {
  return std::make_unique<ArrayReader>(*this, values_, std::move(ranges));
}

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
  whole_.each_truth(
      {rows.first + rows_.first, rows.last + rows_.first},
      [&](std::int64_t first, std::span<const float> truth, std::span<const float> weight) { visit(first - rows_.first, truth, weight); });
}

std::unique_ptr<RowReader> RowSlice::open(std::vector<RowRange> ranges) const {
  for (RowRange& range : ranges) range = {range.first + rows_.first, range.last + rows_.first};
  return std::make_unique<SliceReader>(whole_.open(std::move(ranges)), rows_.first);
}

}  // namespace lockstep
