#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/shape.h"

namespace lockstep {

/// Rows [first, last) of a data set.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t size() const { return last - first; }
};

/// Where read() puts rows; null where not wanted.
struct RowTarget {
  float* features;              ///< (count, elements(sample_shape))
  float* truth;                 ///< (count, truth_width)
  float* weight;                ///< (count); 1 where the data set has no weights
  float scale = 1, offset = 0;  ///< features are x * scale + offset, computed while a row is in the nearest cache; rows without data stay 0

  /// features[0, count) <- features * scale + offset.
  void rescale(float* features, std::int64_t count) const;
};

/// Reads rows of one data set in an order that was announced. Used by one thread of one rank; not collective.
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// The rows that the following read() calls will ask for, one after the other (an epoch's order of this rank). Every entry lies in the
  /// ranges given to Dataset::open, or is -1: a slot without a row, which reads as zeros with weight 0. Streaming readers read ahead along
  /// it. `order` must stay alive until the next begin().
  virtual void begin(std::span<const std::int64_t> order) = 0;
  /// Copies the next `count` rows of the order, converted to float. Allocates nothing in steady state when rows are in memory.
  virtual void read(std::int64_t count, const RowTarget& target) = 0;
  /// From the next begin() on, features that are not finite are an Error that names row and column. Rows in memory are checked at once,
  /// others when they are read. Takes no time in a step.
  virtual void expect_finite() {}
};

/// What a row consists of.
enum class RowPart { features, truth, weight };

/// Takes consecutive rows, the first of which is row `first`: truth (rows, truth_width) and weight (rows).
using TruthVisitor = std::function<void(std::int64_t first, std::span<const float> truth, std::span<const float> weight)>;

/// Rows with features, and usually a truth and a weight each. A description of data: it holds no rank's state and may be shared.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t rows() const = 0;
  /// Axes of one row's features.
  virtual Shape sample_shape() const = 0;
  /// Numbers of truth per row: 1 for a class index or one target; 0 when there is no truth.
  virtual std::int64_t truth_width() const = 0;
  /// For messages: file and data set.
  virtual std::string description() const = 0;
  /// For messages: where this part of a row stands, by the row's number there ("data.h5: data set '/train/y', row 7").
  virtual std::string where(std::int64_t row, RowPart part) const;
  /// Calls `visit` for the rows of this range, some at a time, in order. Reads no features.
  virtual void each_truth(RowRange rows, const TruthVisitor& visit) const;
  /// A reader for the rows of these ranges (sorted, not overlapping), which this rank keeps in memory if they fit.
  virtual std::unique_ptr<RowReader> open(std::vector<RowRange> ranges) const = 0;
};

/// The message of readers after expect_finite(): "WHERE, column 3 is nan, ...". `element`: index within a row of this shape.
std::string not_finite_text(const std::string& where, const Shape& sample_shape, std::int64_t element, double value);

/// Rows in memory: for programs that have their data already, and tests. The vectors are shared, not copied, by readers.
class ArrayDataset final : public Dataset {
 public:
  /// features (rows, sample_shape), truth (rows, truth_width) or empty, weight (rows) or empty. Lengths that do not fit: Error (kUsage).
  ArrayDataset(Shape sample_shape, std::vector<float> features, std::vector<float> truth = {}, std::vector<float> weight = {});
  std::int64_t rows() const override;
  Shape sample_shape() const override;
  std::int64_t truth_width() const override;
  std::string description() const override { return "array of " + std::to_string(rows()) + " rows"; }
  std::unique_ptr<RowReader> open(std::vector<RowRange> ranges) const override;

  struct Values {
    Shape sample_shape;
    std::int64_t rows, truth_width;
    std::vector<float> features, truth, weight;
  };

 private:
  std::shared_ptr<const Values> values_;
};

/// Rows [first, last) of another data set, which must outlive it.
class RowSlice final : public Dataset {
 public:
  RowSlice(const Dataset& whole, RowRange rows);
  std::int64_t rows() const override { return rows_.size(); }
  Shape sample_shape() const override { return whole_.sample_shape(); }
  std::int64_t truth_width() const override { return whole_.truth_width(); }
  std::string description() const override;
  std::string where(std::int64_t row, RowPart part) const override { return whole_.where(rows_.first + row, part); }
  void each_truth(RowRange rows, const TruthVisitor& visit) const override;
  std::unique_ptr<RowReader> open(std::vector<RowRange> ranges) const override;

 private:
  const Dataset& whole_;
  RowRange rows_;
};

}  // namespace lockstep
