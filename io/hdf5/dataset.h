#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/data/names.h"

namespace lockstep {

struct Hdf5Options {
  RowRange rows = {};          ///< of all files together; {}: all; last = -1: to the end
  std::string features = "x";  ///< data set (rows, ...) inside the group, or from the root: "/other/x"
  /// Data sets (rows) or (rows, ...) that become the columns of the features, one behind the other, instead of `features`.
  std::vector<std::string> variables = {};
  std::string truth = "y";                     ///< (rows) or (rows, k); empty: the rows have no truth
  std::vector<std::string> not_features = {};  ///< columns of a pandas frame that are something else
  std::string weight = "weight";  ///< (rows); the default name is used where the group has it, any other name must exist; empty: none
  bool transpose = false;         ///< the last axis counts rows and the others are in reverse, as MATLAB and Julia write arrays
  std::int64_t first_label = 0;   ///< the label of class 0, at least 0: 1 where classes are counted from 1
  /// Bytes of rows that a reader may hold. Rows that fit are read once and kept in their own type; else they stream through two windows of
  /// at most half of it each, read ahead by a thread in the order of the file. Compressed data are decoded once per window: give them room.
  std::int64_t memory_budget = std::int64_t{2} << 30;
  /// Names whose order the rows take, such as those of the training data. Without them that of the first file, with all files' classes.
  DataNames names = {};
};

/// Rows of an HDF5 file, `group`/x, `group`/y, `group`/weight, first axis = rows: any integer or float type, byte order, layout and
/// compression. Integers become the nearest float. Labels that are strings, or members of an enumeration, become classes. A group may be
/// a pandas frame, whose columns are named as data sets are; without `variables` all number columns but the truth are features. Opening
/// reads only the description of the data; readers read the rows. Columns that files name are matched by name, and so are classes; names
/// that are missing or unknown are an Error (kUsage).
///
///     Hdf5Dataset train("data/fashion_mnist.h5", "train", {.rows = {0, 55'000}});
///     Hdf5Dataset parts("data/part-*.h5", "train");   // several files, joined along the rows in the order of their names
///
/// Errors name the file, the data set, what was expected and what was found.
class Hdf5Dataset final : public Dataset {
 public:
  /// `file`: a path or a glob pattern; `group`: "train", "/a/b", or "" for the root.
  Hdf5Dataset(const std::filesystem::path& file, const std::string& group, Hdf5Options options = {});

  std::int64_t rows() const override { return rows_.size(); }
  Shape sample_shape() const override;
  std::int64_t truth_width() const override;
  std::string description() const override;
  std::string where(std::int64_t row, RowPart part) const override;
  void each_truth(RowRange rows, const TruthVisitor& visit) const override;
  std::unique_ptr<RowReader> open(std::vector<RowRange> ranges) const override;

  /// NumPy's name of the features' type in the file: "uint8".
  std::string element_type() const;
  std::int64_t element_bytes() const;
  const std::vector<std::string>& files() const;
  /// Bytes of a row in memory: features, truth and weight in their own types.
  std::int64_t row_bytes() const;
  /// The data set of the sample weights, "/train/weight"; empty: there is none.
  std::string weights() const;
  /// Name of class 0, 1, ...; empty if the files do not say.
  const std::vector<std::string>& class_names() const;
  /// Of classes and columns, in the order of the rows' own; empty where the files do not say.
  const DataNames& names() const;
  /// What was brought into another order, a sentence a file.
  const std::vector<std::string>& notes() const;

  /// The rows of the files that this data set consists of, and the bytes of rows that a reader may hold.
  RowRange range() const { return rows_; }
  std::int64_t memory_budget() const { return memory_budget_; }

  struct Arrays;
  const Arrays& arrays() const { return *arrays_; }

 private:
  std::shared_ptr<const Arrays> arrays_;
  RowRange rows_;
  std::int64_t memory_budget_;
};

}  // namespace lockstep
