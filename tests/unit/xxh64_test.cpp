// Expected values: Python's xxhash 3.x, xxhash.xxh64.
#include "core/xxh64.h"

#include <gtest/gtest.h>

#include <map>

#include "core/sequential.h"

namespace lockstep {
namespace {

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

const std::map<std::size_t, std::uint64_t> kExpected = {
    {0, 0xef46db3751d8e999U},  {1, 0x8a4127811b21e730U},  {3, 0xb6e6c910c2fd373aU},   {4, 0x22eda2cf6af4c124U}, {7, 0x34084d91a233a751U},
    {8, 0xc6f1803a5e0b3222U},  {13, 0xdfced2d95e03c38eU}, {31, 0x6ab1c40e29f50073U},  {32, 0x5a0756fbe9ecd3d1U}, {33, 0xdc50cdc37bb9c183U},
    {63, 0x10dd94885c71894aU}, {64, 0x90083da9cdb9d795U}, {100, 0xd248bfc5208b0b16U}, {1000, 0x6be03acbf959c413U}};

TEST(Xxh64, OfBytes) {
  for (const auto& [count, expected] : kExpected) {
    Xxh64 digest;
    digest.add(some_bytes(count));
    EXPECT_EQ(digest.value(), expected) << count;
  }
}

TEST(Xxh64, DoesNotDependOnTheParts) {
  const std::vector<std::byte> bytes = some_bytes(1000);
  for (std::size_t part = 1; part < 70; ++part) {
    Xxh64 digest;
    for (std::size_t at = 0; at < bytes.size(); at += part) digest.add(std::span(bytes).subspan(at, std::min(part, bytes.size() - at)));
    EXPECT_EQ(digest.value(), kExpected.at(1000)) << part;
  }
}

TEST(Xxh64, OfAModelIsThatOfItsWeightsInOrder) {
  Sequential model{Input{{2}}, Dense{3}};
  model.build({2});
  model.set_weights({{0.5F, -1.25F, 3.0F, 1e-7F, 2.5F, -0.0F}, {0.125F, 7.0F, -8.5F}});
  EXPECT_EQ(model.digest(), 0x9708eb60a81856ddU);
  model.set_weights({{0.5F, -1.25F, 3.0F, 1e-7F, 2.5F, 0.0F}, {0.125F, 7.0F, -8.5F}});
  EXPECT_NE(model.digest(), 0x9708eb60a81856ddU) << "the sign of zero";
}

}  // namespace
}  // namespace lockstep
