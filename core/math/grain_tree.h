#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

/// y[i] = a[i] + b[i] for i < count; y may be a or b.
void add_arrays(const float* a, const float* b, float* y, std::int64_t count);
void add_arrays(const double* a, const double* b, double* y, std::int64_t count);

/// A sum over the grains of a batch in one fixed binary tree: node (level, i) stands for those of the grains [i 2^level, (i + 1) 2^level)
/// that exist, and is the sum of its halves, left + right. Its shape depends on the number of grains alone, so the sum has the same bits
/// whoever adds up which part of it: rank r of N owns grains [count r / N, count (r + 1) / N), sums the fewest nodes that make these up
/// (its *parts*, at most 2 log2 count), and the parts of all ranks are combined by the rest of the tree.
class GrainTree {
 public:
  GrainTree(std::int64_t grains, int ranks);

  /// Parts of all ranks, numbered rank by rank; those of `rank` are [first_part(rank), first_part(rank + 1)).
  std::int64_t parts() const { return static_cast<std::int64_t>(parts_.size()); }
  std::int64_t first_part(int rank) const { return first_[static_cast<std::size_t>(rank)]; }
  /// Arrays of scratch, beside the result, that sum_part and combine need.
  std::int64_t scratch() const { return levels_; }

  /// to[0, count) = the sum of leaf(grain) over a part's grains; leaf(grain, Number* values) writes `count` numbers, floats or doubles.
  /// `scratch`: (scratch(), count).
  template <class Number, class Leaf>
  void sum_part(std::int64_t part, std::int64_t count, Number* to, Number* scratch, const Leaf& leaf) const {
    sum(parts_[static_cast<std::size_t>(part)], count, to, scratch, leaf);
  }

  /// A part in pieces, for several threads: the nodes `depth` levels below it that exist, or its grains where it has fewer levels.
  std::int64_t pieces(std::int64_t part, int depth) const;
  /// sum_part of one of pieces(). The part is left + right of its pieces, those in turn, as join() adds them.
  template <class Number, class Leaf>
  void sum_piece(std::int64_t part, int depth, std::int64_t piece, std::int64_t count, Number* to, Number* scratch,
                 const Leaf& leaf) const {
    const Node node = below(parts_[static_cast<std::size_t>(part)], depth);
    sum(Node{node.level, node.index + piece}, count, to, scratch, leaf);
  }
  /// pieces[0][0, count) = the part whose pieces these are; the others are overwritten.
  static void join(std::span<float* const> pieces, std::int64_t count);

  /// to[0, count) = the sum over all grains; part p lies at parts[p * stride, p * stride + count). `scratch`: (scratch(), count).
  void combine(const float* parts, std::int64_t stride, std::int64_t count, float* to, float* scratch) const;
  void combine(const double* parts, std::int64_t stride, std::int64_t count, double* to, double* scratch) const;

 private:
  struct Node {
    int level;
    std::int64_t index;
    std::int64_t first() const { return index << level; }
    Node left() const { return {level - 1, 2 * index}; }
    Node right() const { return {level - 1, 2 * index + 1}; }
  };

  /// The first of the nodes `depth` levels below `node`, or of its grains.
  static Node below(const Node& node, int depth) {
    const int levels = depth < node.level ? depth : node.level;
    return {node.level - levels, node.index << levels};
  }
  template <class Number, class Leaf>
  void sum(const Node& node, std::int64_t count, Number* to, Number* scratch, const Leaf& leaf) const {
    if (node.level == 0) return leaf(node.index, to);
    sum(node.left(), count, to, scratch, leaf);
    if (node.right().first() >= grains_) return;
    sum(node.right(), count, scratch, scratch + count, leaf);
    add_arrays(to, scratch, to, count);
  }
  template <class Number>
  void combine_parts(const Number* parts, std::int64_t stride, std::int64_t count, Number* to, Number* scratch) const;
  void split(const Node& node, std::int64_t first, std::int64_t last);

  std::int64_t grains_;
  int levels_ = 0;
  std::vector<Node> parts_;
  std::vector<std::int64_t> first_;  // (ranks + 1)
};

}  // namespace lockstep
