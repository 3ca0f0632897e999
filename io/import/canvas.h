#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/math/philox.h"

// Drawing of small grey pictures from code: outlines filled with paint. Only + - * / floor and sqrt on floats, so that the same numbers
// give the same picture on every machine.
namespace lockstep {

/// A stream of random numbers for one picture: a pure function of (seed, purpose, index).
class Draw {
 public:
  Draw(std::uint64_t seed, std::uint32_t purpose, std::uint64_t index)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), purpose, 0} {}

  std::uint32_t word();
  float uniform(float lo, float hi) { return lo + (hi - lo) * lockstep::uniform(word()); }
  bool chance(float probability) { return lockstep::uniform(word()) < probability; }
  int below(int n) { return static_cast<int>((std::uint64_t{word()} * static_cast<std::uint64_t>(n)) >> 32); }  ///< 0 .. n-1
  float bell();  ///< mean 0, variance 1, within +-3.5: a sum of four uniforms

 private:
  std::array<std::uint32_t, 2> key_;
  PhiloxBlock counter_;
  PhiloxBlock block_{};
  int used_ = 4;
};

struct Point {
  float x, y;
};
using Outline = std::vector<Point>;  ///< closed; filled by the even-odd rule

Outline ellipse(Point centre, Point radii);
/// A band of some width along a path. (A struct, because braces are evaluated from left to right and arguments are not: numbers drawn at
/// random inside them must come in one order with every compiler.)
struct Stroke {
  std::vector<Point> path;
  float width;
};
Outline band(const Stroke& stroke);
/// The right half of a symmetric outline, from top to bottom, completed by its mirror image in x.
Outline mirrored(const std::vector<Point>& right_half);
Outline flipped(Outline outline);  ///< x becomes -x

enum class Texture { plain, stripes_across, stripes_along, checks, gradient, speckle };

/// Grey value as a function of the pixel: 0 black, 1 white.
struct Paint {
  float shade = 1;
  Texture texture = Texture::plain;
  float contrast = 0;  ///< how much the texture takes away at most
  float period = 4;    ///< pixels
  float phase = 0;

  float at(float x, float y) const;
};

/// Figure to pixels: pixel = matrix * point + shift.
struct Placement {
  float xx, xy, yx, yy, dx, dy;
  Point operator()(Point p) const { return {xx * p.x + xy * p.y + dx, yx * p.x + yy * p.y + dy}; }
};

/// A square picture of floats, 0 black to 1 white.
class Canvas {
 public:
  static constexpr int kSide = 28;
  void fill(const Outline& outline, const Placement& placement, const Paint& paint);
  float& at(int row, int column) { return pixels_[static_cast<std::size_t>(row * kSide + column)]; }
  void to_bytes(std::span<std::uint8_t> out) const;  ///< clamped, rounded to 0..255

 private:
  std::array<float, kSide * kSide> pixels_{};
};

}  // namespace lockstep
