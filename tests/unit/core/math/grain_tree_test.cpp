#include "core/math/grain_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lockstep {
namespace {

constexpr std::int64_t kCount = 37;

/// Values whose sum depends on the order in which they are added.
float leaf(std::int64_t grain, std::int64_t i) {
  return std::sin(static_cast<float>(grain * 101 + i)) * std::pow(10.F, static_cast<float>((grain + i) % 7));
}

/// The tree as its definition says, over grains [first, first + width) that exist.
float tree(std::int64_t first, std::int64_t width, std::int64_t grains, std::int64_t i) {
  if (width == 1) return leaf(first, i);
  const float left = tree(first, width / 2, grains, i);
  return first + width / 2 < grains ? left + tree(first + width / 2, width / 2, grains, i) : left;
}

std::vector<float> summed(std::int64_t grains, int ranks) {
  const GrainTree sums(grains, ranks);
  const std::int64_t stride = kCount + 3;
  std::vector<float> parts(static_cast<std::size_t>(sums.parts() * stride), -1.F), total(kCount),
      scratch(static_cast<std::size_t>(sums.scratch() * kCount));
  for (int rank = 0; rank < ranks; ++rank) {
    for (std::int64_t part = sums.first_part(rank); part < sums.first_part(rank + 1); ++part) {
      sums.sum_part(part, kCount, &parts[static_cast<std::size_t>(part * stride)], scratch.data(), [&](std::int64_t grain, float* values) {
        EXPECT_GE(grain, grains * rank / ranks) << "a grain of another rank";
        EXPECT_LT(grain, grains * (rank + 1) / ranks) << "a grain of another rank";
        for (std::int64_t i = 0; i < kCount; ++i) values[i] = leaf(grain, i);
      });
    }
  }
  sums.combine(parts.data(), stride, kCount, total.data(), scratch.data());
  return total;
}

TEST(GrainTree, GivesTheBitsOfItsDefinitionAtAnyNumberOfRanks) {
  for (const std::int64_t grains : {1, 2, 3, 5, 7, 8, 13, 16, 33}) {
    std::int64_t width = 1;
    while (width < grains) width *= 2;
    for (int ranks = 1; ranks <= 9; ++ranks) {
      const std::vector<float> total = summed(grains, ranks);
      for (std::int64_t i = 0; i < kCount; ++i) {
        EXPECT_EQ(total[static_cast<std::size_t>(i)], tree(0, width, grains, i))
            << grains << " grains, " << ranks << " ranks, element " << i;
      }
    }
  }
}

TEST(GrainTree, PiecesOfAPartMakeItsBits) {
  for (const std::int64_t grains : {1, 2, 5, 8, 13}) {
    for (const int ranks : {1, 3}) {
      const GrainTree sums(grains, ranks);
      std::vector<float> scratch(static_cast<std::size_t>(std::max<std::int64_t>(sums.scratch(), 1) * kCount)), whole(kCount);
      const auto write = [](std::int64_t grain, float* values) {
        for (std::int64_t i = 0; i < kCount; ++i) values[i] = leaf(grain, i);
      };
      for (std::int64_t part = 0; part < sums.parts(); ++part) {
        sums.sum_part(part, kCount, whole.data(), scratch.data(), write);
        for (int depth = 0; depth < 5; ++depth) {
          std::vector<std::vector<float>> pieces(static_cast<std::size_t>(sums.pieces(part, depth)), std::vector<float>(kCount));
          std::vector<float*> places;
          for (std::size_t p = 0; p < pieces.size(); ++p) {
            sums.sum_piece(part, depth, static_cast<std::int64_t>(p), kCount, pieces[p].data(), scratch.data(), write);
            places.push_back(pieces[p].data());
          }
          GrainTree::join(places, kCount);
          EXPECT_EQ(pieces[0], whole) << grains << " grains, part " << part << ", depth " << depth;
        }
      }
    }
  }
  EXPECT_EQ(GrainTree(5, 1).pieces(0, 1), 2);  // 4 grains and 1
  EXPECT_EQ(GrainTree(5, 1).pieces(0, 2), 3);  // 2, 2, 1
  EXPECT_EQ(GrainTree(5, 1).pieces(0, 9), 5);
}

TEST(GrainTree, DiffersFromASumInOrder) {  // or the test above would tell nothing
  float in_order = 0;
  for (std::int64_t grain = 0; grain < 8; ++grain) in_order += leaf(grain, 4);
  EXPECT_NE(summed(8, 3)[4], in_order);
}

TEST(GrainTree, SendsOneSubtreeWhereRanksDivideTheGrains) {
  for (const int ranks : {1, 2, 4, 8}) EXPECT_EQ(GrainTree(8, ranks).parts(), ranks);
  EXPECT_EQ(GrainTree(8, 3).parts(), 5);  // [0, 2) | [2, 4) [4, 5) | [5, 6) [6, 8)
}

}  // namespace
}  // namespace lockstep
