#include "io/import/garments.h"

#include <algorithm>
#include <array>

#include "cluster/error.h"
#include "cluster/host/placement.h"
#include "core/math/thread_team.h"
#include "io/data/data_file.h"
#include "io/hdf5/attributes.h"
#include "io/import/canvas.h"
#include "io/import/garment_figures.h"

namespace lockstep {
namespace {

Placement place(Draw& d, bool mirror) {
  const float scale = d.uniform(10.8F, 13.4F), stretch = d.uniform(0.93F, 1.07F), shear = d.uniform(-0.08F, 0.08F);
  const float t = 0.045F * d.bell(), cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);  // a small turn without libm
  const float sx = (mirror ? -scale : scale) * stretch, sy = scale / stretch;
  return {sx * cosine, sy * (shear - sine), sx * sine, sy * cosine, 14.0F + 1.0F * d.bell(), 14.0F + 0.9F * d.bell()};
}

Paint fabric(Draw& d, int label) {
  Paint paint;
  paint.shade = d.uniform(0.3F, 0.92F);
  const float patterned = label == 6 ? 0.6F : 0.3F;  // shirts have patterns more often
  if (d.chance(patterned)) paint.texture = static_cast<Texture>(1 + d.below(5));
  paint.contrast = paint.shade * d.uniform(0.15F, 0.7F);
  paint.period = d.uniform(2.2F, 8.0F);
  paint.phase = d.uniform(0.0F, 1.0F);
  return paint;
}

void occlude(Canvas& canvas, Draw& d) {
  const Placement pixels{1, 0, 0, 1, 0, 0};
  const Point centre{d.uniform(3.0F, 25.0F), d.uniform(3.0F, 25.0F)};
  const Paint paint{d.chance(0.5F) ? 0.0F : d.uniform(0.0F, 1.0F)};
  if (d.chance(0.5F))
    canvas.fill(ellipse(centre, {d.uniform(1.5F, 5.0F), d.uniform(1.5F, 5.0F)}), pixels, paint);
  else
    canvas.fill(band({{centre, {centre.x + d.uniform(-12.0F, 12.0F), centre.y + d.uniform(-12.0F, 12.0F)}}, d.uniform(1.5F, 4.0F)}), pixels,
                paint);
}

void add_noise(Canvas& canvas, Draw& d) {
  const float grain = d.uniform(0.01F, 0.09F), light = d.uniform(0.75F, 1.1F), slope_x = d.uniform(-0.012F, 0.012F),
              slope_y = d.uniform(-0.012F, 0.012F);
  const float haze = d.chance(0.3F) ? d.uniform(0.0F, 0.15F) : 0.0F;
  for (int row = 0; row < Canvas::kSide; ++row) {
    for (int column = 0; column < Canvas::kSide; ++column) {
      float& pixel = canvas.at(row, column);
      const float lit = light + slope_x * static_cast<float>(column - 14) + slope_y * static_cast<float>(row - 14);
      const float visible = pixel > 0.02F ? 1.0F : 0.35F;  // the background is cleaner, as in photographs that were cut out
      pixel = haze + (1 - haze) * pixel * lit + visible * grain * d.bell();
    }
  }
}

}  // namespace

const std::vector<std::string>& fashion_mnist_class_names() {
  static const std::vector<std::string> names{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                              "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return names;
}

int garment_label(std::uint64_t seed, std::uint32_t split, std::int64_t index) {
  std::array<int, 10> order{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Draw draw(seed, 2 * split + 1, static_cast<std::uint64_t>(index / 10));
  for (int i = 9; i > 0; --i) std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(draw.below(i + 1))]);
  return order[static_cast<std::size_t>(index % 10)];
}

void draw_garment(int label, std::uint64_t seed, std::uint32_t split, std::int64_t index, std::span<std::uint8_t> image) {
  Draw draw(seed, 2 * split, static_cast<std::uint64_t>(index));
  Canvas canvas;
  const Figure figure = garment_figure(label, draw);
  const bool mirror = draw.chance(0.5F);
  const Placement placement = place(draw, mirror);
  const Paint paint = fabric(draw, label);
  for (const Piece& piece : figure) {
    Paint painted = piece.textured ? paint : Paint{paint.shade};
    painted.shade *= piece.tone;
    canvas.fill(piece.outline, placement, painted);
  }
  if (draw.chance(0.2F)) occlude(canvas, draw);
  add_noise(canvas, draw);
  canvas.to_bytes(image);
}

void make_garments(Hdf5File& file, const GarmentOptions& options, const WorkProgress& progress) {
  constexpr std::int64_t kPixels = Canvas::kSide * Canvas::kSide, kBlock = 2'000;
  const std::int64_t total = options.train + options.test;
  if (options.train < 1 || options.test < 0) throw Error("garments: expected at least one training image and no negative count", kUsage);
  const int threads = threads_for_rank(World(), 0);
  std::int64_t done = 0;
  for (std::uint32_t split = 0; split < 2; ++split) {
    const std::int64_t rows = split == 0 ? options.train : options.test;
    std::vector<std::uint8_t> images(static_cast<std::size_t>(rows * kPixels)), labels(static_cast<std::size_t>(rows));
    for (std::int64_t lo = 0; lo < rows; lo += kBlock) {
      const std::int64_t hi = std::min(lo + kBlock, rows);
      for_each_grain(threads, hi - lo, [&](std::int64_t at) {
        const std::int64_t i = lo + at;
        const int label = garment_label(options.seed, split, i);
        labels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(label);
        draw_garment(label, options.seed, split, i, std::span(images).subspan(static_cast<std::size_t>(i * kPixels), kPixels));
      });
      done += hi - lo;
      if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
    }
    const std::string group = split == 0 ? "/train" : "/test";
    file.write<std::uint8_t>(group + "/x", {rows, Canvas::kSide, Canvas::kSide}, images);
    file.write<std::uint8_t>(group + "/y", {rows}, labels);
  }
  write_names(file, {fashion_mnist_class_names(),
                     {},
                     {},
                     "Made by 'lockstep data make garments': drawn silhouettes of the ten classes of Fashion-MNIST.",
                     ""});
  write_string_attribute(file, "/", "seed", std::to_string(options.seed));
}

}  // namespace lockstep
