#include "io/import/garments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "core/math/philox.h"
#include "io/data/data_file.h"
#include "io/import/canvas.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

constexpr std::size_t kPixels = 784;
using Image = std::array<std::uint8_t, kPixels>;

Image draw(int label, std::uint64_t seed, std::uint32_t split, std::int64_t index) {
  Image image{};
  draw_garment(label, seed, split, index, image);
  return image;
}

/// Area under a fill, read back from bytes.
double area(const Outline& outline, const Placement& placement) {
  Canvas canvas;
  canvas.fill(outline, placement, Paint{1.0F});
  Image image{};
  canvas.to_bytes(image);
  return std::accumulate(image.begin(), image.end(), 0.0) / 255;
}

TEST(Canvas, CoversTheAreaOfItsOutlines) {
  const Placement pixels{1, 0, 0, 1, 0, 0};
  EXPECT_NEAR(area({{2, 3}, {12, 3}, {12, 8}, {2, 8}}, pixels), 50, 1e-3);
  EXPECT_NEAR(area({{2.25F, 3}, {12.5F, 3}, {12.5F, 8}, {2.25F, 8}}, pixels), 51.25, 0.05);  // half and three quarter pixels
  EXPECT_NEAR(area({{0, 0}, {20, 0}, {0, 20}}, pixels), 200, 0.5);                           // triangle
  EXPECT_NEAR(area({{-5, -5}, {40, -5}, {40, 40}, {-5, 40}}, pixels), 784, 1e-3);            // clipped to the picture
  EXPECT_NEAR(area(ellipse({14, 14}, {10, 6}), pixels), 3.0614675 * 60, 0.5);                // regular 16-gon: 8 sin(pi/8) a b
  EXPECT_NEAR(area(band({{{4, 4}, {24, 4}}, 2}), pixels), 40, 1e-3);
  EXPECT_NEAR(area(mirrored({{1, -1}, {1, 1}}), {10, 0, 0, 10, 14, 14}), 400, 1e-3);
  EXPECT_EQ(area({{40, 40}, {50, 40}, {50, 50}}, pixels), 0);
}

TEST(Draw, IsPhiloxInOrder) {
  Draw draw(0x0000000200000001ULL, 7, 5);
  const PhiloxBlock first = philox({5, 0, 7, 0}, {1, 2}), second = philox({5, 0, 7, 1}, {1, 2});
  for (std::uint32_t word : first) EXPECT_EQ(draw.word(), word);
  EXPECT_EQ(draw.word(), second[0]);
}

TEST(Garments, LabelsAreBalancedAndShuffled) {
  std::array<int, 10> counts{};
  std::set<std::array<int, 10>> orders;
  for (std::int64_t block = 0; block < 20; ++block) {
    std::array<int, 10> order{};
    for (std::int64_t i = 0; i < 10; ++i) {
      order[static_cast<std::size_t>(i)] = garment_label(1, 0, 10 * block + i);
      ++counts[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    }
    orders.insert(order);
  }
  EXPECT_EQ(counts, (std::array<int, 10>{20, 20, 20, 20, 20, 20, 20, 20, 20, 20}));
  EXPECT_GT(orders.size(), 15U);
}

TEST(Garments, ImagesDependOnSeedSplitAndIndexAlone) {
  EXPECT_EQ(draw(3, 42, 0, 17), draw(3, 42, 0, 17));
  EXPECT_NE(draw(3, 42, 0, 17), draw(3, 42, 0, 18));
  EXPECT_NE(draw(3, 42, 0, 17), draw(3, 42, 1, 17));
  EXPECT_NE(draw(3, 42, 0, 17), draw(3, 43, 0, 17));
  EXPECT_NE(draw(3, 42, 0, 17), draw(4, 42, 0, 17));
}

/// Shapes tell classes apart: a handful of properties that hold on average, whatever the shades.
TEST(Garments, SilhouettesLookLikeTheirClass) {
  std::array<double, 10> wide{}, high{};  // share of columns and rows that the figure touches, mean over images
  constexpr int kImages = 200;
  for (int label = 0; label < 10; ++label) {
    for (int i = 0; i < kImages; ++i) {
      const Image image = draw(label, 9, 0, i);
      std::array<int, 28> rows{}, columns{};
      for (std::size_t p = 0; p < kPixels; ++p) {
        if (image[p] < 70) continue;
        ++rows[p / 28];
        ++columns[p % 28];
      }
      const auto touched = [](const auto& counts) {
        return static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int n) { return n >= 3; })) / 28;
      };
      high[static_cast<std::size_t>(label)] += touched(rows) / kImages;
      wide[static_cast<std::size_t>(label)] += touched(columns) / kImages;
    }
  }
  for (std::size_t footwear : {5, 7}) EXPECT_GT(wide[footwear], 1.3 * high[footwear]) << footwear;  // sandal, sneaker
  for (std::size_t tall : {1, 3}) EXPECT_GT(high[tall], 1.3 * wide[tall]) << tall;                  // trouser, dress
  EXPECT_GT(high[9], 1.2 * high[7]);                                                                // the shaft of a boot
  EXPECT_GT(wide[2], wide[0] * 0.95);                                                               // sleeves
}

/// Pinned so that another compiler, processor or refactoring that changes a single pixel is seen. The value was made by this code (x86-64,
/// GCC 12).
TEST(Garments, TheSameBytesOnEveryMachine) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (std::int64_t i = 0; i < 200; ++i) {
    for (std::uint8_t byte : draw(garment_label(42, 0, i), 42, 0, i)) hash = (hash ^ byte) * 1099511628211ULL;
  }
  EXPECT_EQ(hash, 5567237379363063342ULL);
}

TEST(Garments, FileHoldsBothPartsAndTheNames) {
  testing::TempDir dir;
  double last = 0;
  {
    Hdf5File file = Hdf5File::create(dir / "g.h5");
    make_garments(file, {.seed = 3, .train = 25, .test = 7}, [&](double part) { last = part; });
  }
  EXPECT_EQ(last, 1);
  const Hdf5File file = Hdf5File::open(dir / "g.h5");
  EXPECT_EQ(file.info("/train/x").shape, (std::vector<std::int64_t>{25, 28, 28}));
  EXPECT_EQ(file.info("/test/x").shape, (std::vector<std::int64_t>{7, 28, 28}));
  EXPECT_EQ(file.info("/train/x").type, ElementType::u8);
  EXPECT_EQ(read_names(file).class_names.at(9), "Ankle boot");
  Image image{};
  file.read_raw("/test/x", 6, 7, std::as_writable_bytes(std::span(image)));
  std::array<std::int64_t, 1> label{};
  file.read_rows<std::int64_t>("/test/y", 6, 7, label);
  EXPECT_EQ(label[0], garment_label(3, 1, 6));
  EXPECT_EQ(image, draw(static_cast<int>(label[0]), 3, 1, 6));
  Hdf5File other = Hdf5File::create(dir / "o.h5");
  testing::expect_error([&] { make_garments(other, {.seed = 1, .train = 0, .test = 1}); }, {"garments"});
}

}  // namespace
}  // namespace lockstep
