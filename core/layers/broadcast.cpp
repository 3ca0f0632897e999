#include "core/layers/broadcast.h"

namespace lockstep {

Broadcast::Broadcast(const Shape& row, const Shape& small) : shared_(!row.empty() && small.back() != row.back()) {
  // A run is made of the last axes, as far as all of them share or none does.
  std::size_t outer = row.size();
  std::int64_t length = 1;
  while (outer > 0 && (row[outer - 1] == 1 || (small[outer - 1] != row[outer - 1]) == shared_)) length *= row[--outer];
  const std::int64_t elements_of_run = shared_ ? 1 : length;
  for (std::int64_t run = 0; run * length < elements(row); ++run) {
    std::int64_t element = 0, stride = elements_of_run, rest = run;
    for (std::size_t axis = outer; axis-- > 0;) {
      if (small[axis] != 1) element += rest % row[axis] * stride;
      stride *= small[axis];
      rest /= row[axis];
    }
    runs_.push_back({run * length, length, element});
  }
}

}  // namespace lockstep
