#pragma once
#include <cstdint>
#include <span>

#include "io/data/row_store.h"

namespace lockstep {

/// A digest of rows: for each array the sum, modulo 2^64, of an XXH3 of every row's bytes and number. It depends on the element types, but
/// not on the order of the rows, nor on how they are divided among ranks or stored in files.
struct RowDigest {
  std::uint64_t features = 0, truth = 0, weight = 0;

  void operator+=(const RowDigest& other);
  bool operator==(const RowDigest&) const = default;
};

/// Of one array: the digest of slots `first`, `first` + 1, ..., which hold these rows.
std::uint64_t digest_rows(const RowStore::Column& column, std::span<const std::int64_t> rows, std::int64_t first = 0);

/// The digest of slots `first`, `first` + 1, ... of a store, which hold these rows.
RowDigest digest_rows(const RowStore& store, std::span<const std::int64_t> rows, std::int64_t first = 0);

/// A hash of the set of row numbers; their order does not matter.
std::uint64_t hash_numbers(std::span<const std::int64_t> rows);

}  // namespace lockstep
