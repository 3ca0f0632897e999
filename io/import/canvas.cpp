#include "io/import/canvas.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

constexpr int kScanlines = 4;  // per row of pixels; along x the coverage is exact

float triangle_wave(float u) { return std::abs(2.0F * (u - std::floor(u)) - 1.0F); }  // 0..1, period 1

/// Adds the part of [from, to) that lies in each pixel of a row.
void cover(std::span<float> row, float from, float to, float weight) {
  from = std::max(from, 0.0F);
  to = std::min(to, static_cast<float>(row.size()));
  if (from >= to) return;
  const int first = static_cast<int>(from), last = std::min(static_cast<int>(to), static_cast<int>(row.size()) - 1);
  for (int x = first; x <= last; ++x) {
    const float left = std::max(from, static_cast<float>(x)), right = std::min(to, static_cast<float>(x + 1));
    row[static_cast<std::size_t>(x)] += weight * (right - left);
  }
}

}  // namespace

std::uint32_t Draw::word() {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    ++counter_[3];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

float Draw::bell() {
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += uniform(-1, 1);
  return sum * 0.8660254F;  // the sum has variance 4/3
}

Outline ellipse(Point centre, Point radii) {
  static constexpr std::array<Point, 4> kQuarter{
      {{1.0F, 0.0F}, {0.9238795F, 0.3826834F}, {0.7071068F, 0.7071068F}, {0.3826834F, 0.9238795F}}};
  Outline outline;
  for (int quarter = 0; quarter < 4; ++quarter) {
    for (Point p : kQuarter) {
      for (int turn = 0; turn < quarter; ++turn) p = {-p.y, p.x};
      outline.push_back({centre.x + radii.x * p.x, centre.y + radii.y * p.y});
    }
  }
  return outline;
}

Outline band(const Stroke& stroke) {
  const std::vector<Point>& path = stroke.path;
  Outline left, right;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const Point a = path[i == 0 ? 0 : i - 1], b = path[i + 1 == path.size() ? i : i + 1];
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float half = 0.5F * stroke.width / std::max(std::sqrt(dx * dx + dy * dy), 1e-6F);
    left.push_back({path[i].x - dy * half, path[i].y + dx * half});
    right.push_back({path[i].x + dy * half, path[i].y - dx * half});
  }
  left.insert(left.end(), right.rbegin(), right.rend());
  return left;
}

Outline mirrored(const std::vector<Point>& right_half) {
  Outline outline = right_half;
  for (auto p = right_half.rbegin(); p != right_half.rend(); ++p) outline.push_back({-p->x, p->y});
  return outline;
}

Outline flipped(Outline outline) {
  for (Point& p : outline) p.x = -p.x;
  return outline;
}

float Paint::at(float x, float y) const {
  const float across = triangle_wave(y / period + phase), along = triangle_wave(x / period + phase);
  switch (texture) {
    case Texture::plain: return shade;
    case Texture::stripes_across: return shade - contrast * across;
    case Texture::stripes_along: return shade - contrast * along;
    case Texture::checks: return shade - contrast * 0.5F * (across + along);
    case Texture::gradient: return shade - contrast * y / static_cast<float>(Canvas::kSide);
    case Texture::speckle: {
      const auto cell = static_cast<std::uint32_t>(std::max(x, 0.0F)) * 31U + static_cast<std::uint32_t>(std::max(y, 0.0F));
      const auto which = static_cast<std::uint32_t>(phase * 65536.0F);
      return shade - contrast * uniform(philox({cell, which, 0, 0}, {0, 0})[0]);
    }
  }
  return shade;
}

void Canvas::fill(const Outline& outline, const Placement& placement, const Paint& paint) {
  Outline points;
  float top = kSide, bottom = 0;
  for (Point p : outline) {
    points.push_back(placement(p));
    top = std::min(top, points.back().y);
    bottom = std::max(bottom, points.back().y);
  }
  const int first = std::max(static_cast<int>(std::floor(top)), 0), last = std::min(static_cast<int>(std::floor(bottom)), kSide - 1);
  std::vector<float> crossings;
  for (int row = first; row <= last; ++row) {
    std::array<float, kSide> coverage{};
    for (int line = 0; line < kScanlines; ++line) {
      const float y = static_cast<float>(row) + (static_cast<float>(line) + 0.5F) / kScanlines;
      crossings.clear();
      for (std::size_t i = 0; i < points.size(); ++i) {
        const Point a = points[i], b = points[i + 1 == points.size() ? 0 : i + 1];
        if ((a.y <= y) != (b.y <= y)) crossings.push_back(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
      }
      std::sort(crossings.begin(), crossings.end());
      for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) cover(coverage, crossings[i], crossings[i + 1], 1.0F / kScanlines);
    }
    for (int x = 0; x < kSide; ++x) {
      const float c = coverage[static_cast<std::size_t>(x)];
      if (c > 0) at(row, x) += c * (paint.at(static_cast<float>(x), static_cast<float>(row)) - at(row, x));
    }
  }
}

void Canvas::to_bytes(std::span<std::uint8_t> out) const {
  for (std::size_t i = 0; i < pixels_.size(); ++i) out[i] = static_cast<std::uint8_t>(std::clamp(pixels_[i], 0.0F, 1.0F) * 255.0F + 0.5F);
}

}  // namespace lockstep
