#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/file.h"

namespace lockstep {

/// A table in memory on its way into a data file.
struct Table {
  std::vector<std::string> feature_names;
  std::vector<float> x;                   ///< (rows, features)
  std::vector<std::string> target_names;  ///< one or more numbers per row: y is (rows) or (rows, targets) ...
  std::vector<float> y;                   ///< empty, like `labels`: the rows have no targets
  std::vector<std::string> class_names;   ///< ... or, if not empty, one class index per row in `labels`
  std::vector<std::int64_t> labels;
  std::int64_t rows = 0;
  std::string description;
};

/// A split by name and number of rows, in the order in which rows are dealt out.
struct Split {
  std::string name;
  std::int64_t rows;
};

/// "train=0.6,valid=0.2,test=0.2" for a table of `rows` rows. The shares must sum to 1 (within 1e-6) and every split gets at least one row;
/// the borders are the rounded cumulative shares, so the counts sum to `rows`.
std::vector<Split> parse_split(const std::string& text, std::int64_t rows);
/// The two halves of parse_split(): splits, some of which may have no row; and the Error if one has none. `text` is for messages.
std::vector<Split> deal_out(const std::string& text, std::int64_t rows);
std::vector<Split> expect_rows(std::vector<Split> splits, const std::string& text);

/// 0 .. rows-1 in an order that is a pure function of the seed (Fisher-Yates).
std::vector<std::int64_t> shuffled_rows(std::int64_t rows, std::uint64_t seed);

/// Writes /SPLIT/x (float32) and /SPLIT/y (float32, or uint8/int64 class index) of every split, and the names. With a seed rows are
/// shuffled before they are dealt out; without one they keep their order.
void write_table(Hdf5File& file, const Table& table, const std::vector<Split>& splits, std::optional<std::uint64_t> seed);

/// Class indices as the narrowest of uint8 and int64.
void write_labels(Hdf5File& file, const std::string& dataset, const std::vector<std::int64_t>& labels);

}  // namespace lockstep
