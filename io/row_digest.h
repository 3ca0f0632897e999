#pragma once
#include <cstdint>
#include <span>

#include "io/row_store.h"

namespace lockstep {

/// What rows hold: for each array the sum, modulo 2^64, of an XXH3 of every row's bytes and number. It depends on the rows' own types, but not
/// on the order in which they are added, nor on how they are shared out or stored in files.
struct RowDigest {
  std::uint64_t features = 0, truth = 0, weight = 0;

  void operator+=(const RowDigest& other);
  bool operator==(const RowDigest&) const = default;
};

/// That of slots `first`, `first` + 1, ... of a store, which hold these rows.
RowDigest digest_rows(const RowStore& store, std::span<const std::int64_t> rows, std::int64_t first = 0);

/// Of the numbers alone: which rows they are, in any order.
std::uint64_t hash_numbers(std::span<const std::int64_t> rows);

}  // namespace lockstep
