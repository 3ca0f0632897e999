#include "io/data/row_digest.h"

#include <xxhash.h>

namespace lockstep {

std::uint64_t digest_rows(const RowStore::Column& column, std::span<const std::int64_t> rows, std::int64_t first) {
  std::uint64_t sum = 0;
  if (!column.bytes) return sum;
  const auto bytes = static_cast<std::size_t>(column.row_bytes);
  const std::byte* at = column.bytes.get() + first * column.row_bytes;
  for (std::size_t i = 0; i < rows.size(); ++i, at += column.row_bytes) {
    sum += XXH3_64bits_withSeed(&rows[i], sizeof rows[i], XXH3_64bits(at, bytes));
  }
  return sum;
}

void RowDigest::operator+=(const RowDigest& other) {
  features += other.features;
  truth += other.truth;
  weight += other.weight;
}

RowDigest digest_rows(const RowStore& store, std::span<const std::int64_t> rows, std::int64_t first) {
  return {digest_rows(store.features, rows, first), digest_rows(store.truth, rows, first), digest_rows(store.weight, rows, first)};
}

std::uint64_t hash_numbers(std::span<const std::int64_t> rows) {
  std::uint64_t sum = 0;
  for (const std::int64_t row : rows) sum += XXH3_64bits(&row, sizeof row);
  return sum;
}

}  // namespace lockstep
