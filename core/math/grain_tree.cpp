#include "core/math/grain_tree.h"

#include <algorithm>

#include "cluster/clones.h"

namespace lockstep {

LOCKSTEP_CLONES void add_arrays(const float* a, const float* b, float* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

LOCKSTEP_CLONES void add_arrays(const double* a, const double* b, double* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

GrainTree::GrainTree(std::int64_t grains, int ranks) : grains_(grains) {
  while ((std::int64_t{1} << levels_) < grains) ++levels_;
  for (int rank = 0; rank < ranks; ++rank) {
    first_.push_back(parts());
    split({levels_, 0}, grains * rank / ranks, grains * (rank + 1) / ranks);
  }
  first_.push_back(parts());
}

/// The largest nodes below `node` whose grains all lie in [first, last), in order.
void GrainTree::split(const Node& node, std::int64_t first, std::int64_t last) {
  const std::int64_t begin = node.first(), end = std::min(grains_, (node.index + 1) << node.level);
  if (begin >= last || end <= first || begin >= end) return;
  if (begin >= first && end <= last) {
    parts_.push_back(node);
    return;
  }
  split(node.left(), first, last);
  split(node.right(), first, last);
}

std::int64_t GrainTree::pieces(std::int64_t part, int depth) const {
  const Node &node = parts_[static_cast<std::size_t>(part)], first = below(node, depth);
  const std::int64_t end = std::min(grains_, (node.index + 1) << node.level), length = std::int64_t{1} << first.level;
  return (end - first.first() + length - 1) / length;
}

void GrainTree::join(std::span<float* const> pieces, std::int64_t count) {
  for (std::size_t step = 1; step < pieces.size(); step *= 2) {
    for (std::size_t i = 0; i + step < pieces.size(); i += 2 * step) add_arrays(pieces[i], pieces[i + step], pieces[i], count);
  }
}

template <class Number>
void GrainTree::combine_parts(const Number* parts, std::int64_t stride, std::int64_t count, Number* to, Number* scratch) const {
  std::int64_t part = 0;  // they are met in order
  // Where the value of a node lies: a part is not copied.
  const auto value = [&](const auto& self, const Node& node, Number* place, Number* rest) -> const Number* {
    const Node& next = parts_[static_cast<std::size_t>(part)];
    if (next.level == node.level && next.index == node.index) return parts + stride * part++;
    const Number* const left = self(self, node.left(), place, rest);
    if (node.right().first() >= grains_) return left;
    const Number* const right = self(self, node.right(), rest, rest + count);
    add_arrays(left, right, place, count);
    return place;
  };
  const Number* const sum = value(value, {levels_, 0}, to, scratch);
  if (sum != to) std::copy_n(sum, count, to);
}

void GrainTree::combine(const float* parts, std::int64_t stride, std::int64_t count, float* to, float* scratch) const {
  combine_parts(parts, stride, count, to, scratch);
}

void GrainTree::combine(const double* parts, std::int64_t stride, std::int64_t count, double* to, double* scratch) const {
  combine_parts(parts, stride, count, to, scratch);
}

}  // namespace lockstep
