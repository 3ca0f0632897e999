#include "io/data/reread_check.h"

#include <algorithm>

#include "cluster/error.h"

namespace lockstep {

void RereadCheck::begin() { std::fill(now_.begin(), now_.end(), Pass{}); }

void RereadCheck::add(const RowStore& store, std::span<const std::int64_t> rows) {
  for (std::size_t p = 0, first = 0; p < now_.size() && first < rows.size(); ++p) {
    const std::int64_t end_row = array_.parts[p].first + array_.parts[p].info.rows();
    const auto end = static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), end_row) - rows.begin());
    now_[p].rows += hash_numbers(rows.subspan(first, end - first));
    now_[p].content += digest_rows(store, rows.subspan(first, end - first), static_cast<std::int64_t>(first));
    first = end;
  }
}

void RereadCheck::end() {
  for (std::size_t p = 0; p < now_.size(); ++p) {
    if (now_[p].rows == before_[p].rows && now_[p].content != before_[p].content) {
      throw Error(array_.parts[p].path +
                  ": its rows differ from those read in the epoch before, so something "
                  "has written to it; start again once nothing writes to the file");
    }
  }
  before_ = now_;
}

}  // namespace lockstep
