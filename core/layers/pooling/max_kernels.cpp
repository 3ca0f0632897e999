#include "core/layers/pooling/max_kernels.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cluster/clones.h"

namespace lockstep {
namespace {

/// The larger one; NaN if one is.
inline float larger(float a, float b) { return b > a || b != b ? b : a; }

// --- any window ---
// First the lines that an output line sees are brought together, then its columns: the inner loops run over a whole line, or over the
// channels of a pixel. Few channels are told the compiler as constants, for which it makes loops over them without a remainder.

[[gnu::always_inline]] inline void max_forward_of(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows,
                                                  const float* x, float* line, float* y) {
  const std::int64_t width = w.width.in * channels;
  const float least = positive ? 0 : -std::numeric_limits<float>::infinity();
  for (std::int64_t r = 0; r < rows; ++r, x += w.height.in * width) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const SeenElements lines = seen(w.height, i);
      std::copy_n(x + lines.first * width, width, line);
      for (std::int64_t l = lines.first + 1; l < lines.last; ++l) {
        const float* const from = x + l * width;
#pragma omp simd
        for (std::int64_t k = 0; k < width; ++k) line[k] = larger(line[k], from[k]);
      }
      for (std::int64_t j = 0; j < w.width.out; ++j, y += channels) {
        const SeenElements columns = seen(w.width, j);
        const float* from = line + columns.first * channels;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) y[c] = from[c] < least ? least : from[c];
        for (std::int64_t column = 1; column < columns.count(); ++column) {
          from += channels;
#pragma omp simd
          for (std::int64_t c = 0; c < channels; ++c) y[c] = larger(y[c], from[c]);
        }
      }
    }
  }
}

/// `left`: the part of dy that has found no input yet.
[[gnu::always_inline]] inline void max_backward_of(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows,
                                                   const float* x, const float* y, const float* dy, float* left, float* dx) {
  const std::int64_t width = w.width.in * channels, size = w.height.in * width;
  std::fill_n(dx, rows * size, 0.F);
  for (std::int64_t r = 0; r < rows; ++r, x += size, dx += size) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const SeenElements lines = seen(w.height, i);
      for (std::int64_t j = 0; j < w.width.out; ++j, y += channels, dy += channels) {
        const SeenElements columns = seen(w.width, j);
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) left[c] = positive && !(y[c] > 0) ? 0.F : dy[c];
        for (std::int64_t l = lines.first; l < lines.last; ++l) {
          for (std::int64_t column = columns.first; column < columns.last; ++column) {
            const float* const from = x + l * width + column * channels;
            float* const to = dx + l * width + column * channels;
#pragma omp simd
            for (std::int64_t c = 0; c < channels; ++c) {
              const bool found = from[c] == y[c];
              to[c] += found ? left[c] : 0.F;
              left[c] = found ? 0.F : left[c];
            }
          }
        }
      }
    }
  }
}

// --- windows of 2 x 2 side by side, of at least kFewest channels ---
// Eight channels at a time, in registers. Where a pixel has more, its last eight end with it. Where it has fewer, those beyond are its
// right neighbour's, which are computed later; the last pixel of a line is computed channel by channel.

constexpr std::int64_t kVector = 8, kFewest = kVector / 2;  // with fewer, the last pixel but one would reach beyond its line
using Vector = float __attribute__((vector_size(kVector * sizeof(float))));

bool in_pairs(const WindowAxis& axis) { return axis.window == 2 && axis.stride == 2 && axis.before == 0 && 2 * axis.out <= axis.in; }
bool in_pairs(const Window2D& w, std::int64_t channels) { return channels >= kFewest && in_pairs(w.height) && in_pairs(w.width); }

/// y of a vector of channels. `upper`, `lower`: the left pixel of each line.
[[gnu::always_inline]] inline void max_of_four(const float* upper, const float* lower, std::int64_t channels, float least, float* y) {
  Vector a, b, d, e;
  std::memcpy(&a, upper, sizeof(a));
  std::memcpy(&b, upper + channels, sizeof(b));
  std::memcpy(&d, lower, sizeof(d));
  std::memcpy(&e, lower + channels, sizeof(e));
  const Vector floor = Vector{} + least, nan = Vector{} + std::numeric_limits<float>::quiet_NaN();
  const Vector top = b > a ? b : a, bottom = e > d ? e : d;
  const Vector most = bottom > top ? bottom : top, held = floor > most ? floor : most;
  const Vector found = ((a != a) | (b != b) | (d != d) | (e != e)) ? nan : held;
  std::memcpy(y, &found, sizeof(found));
}

/// The same of a single channel.
[[gnu::always_inline]] inline void max_of_four_in_one(const float* upper, const float* lower, std::int64_t channels, float least,
                                                      float* y) {
  const float most = larger(larger(upper[0], upper[channels]), larger(lower[0], lower[channels]));
  *y = most < least ? least : most;
}

/// dx of a vector of channels.
[[gnu::always_inline]] inline void backward_of_four(const float* upper, const float* lower, const float* y, const float* dy,
                                                    std::int64_t channels, bool positive, float* d_upper, float* d_lower) {
  Vector a, b, d, most, left;
  const Vector zero = {};
  std::memcpy(&most, y, sizeof(most));
  std::memcpy(&left, dy, sizeof(left));
  if (positive) left = most > zero ? left : zero;
  std::memcpy(&a, upper, sizeof(a));
  std::memcpy(&b, upper + channels, sizeof(b));
  std::memcpy(&d, lower, sizeof(d));
  Vector e;
  std::memcpy(&e, lower + channels, sizeof(e));
  const Vector to_a = a == most ? left : zero;
  left = a == most ? zero : left;
  const Vector to_b = b == most ? left : zero;
  left = b == most ? zero : left;
  const Vector to_d = d == most ? left : zero;
  left = d == most ? zero : left;
  const Vector to_e = e == most ? left : zero;
  std::memcpy(d_upper, &to_a, sizeof(to_a));
  std::memcpy(d_upper + channels, &to_b, sizeof(to_b));
  std::memcpy(d_lower, &to_d, sizeof(to_d));
  std::memcpy(d_lower + channels, &to_e, sizeof(to_e));
}

/// The same of a single channel.
[[gnu::always_inline]] inline void backward_of_four_in_one(const float* upper, const float* lower, const float* y, const float* dy,
                                                           std::int64_t channels, bool positive, float* d_upper, float* d_lower) {
  float left = positive && !(*y > 0) ? 0.F : *dy;
  const auto give = [&](const float* x, float* dx) {
    const bool found = *x == *y;
    *dx = found ? left : 0.F;
    left = found ? 0.F : left;
  };
  give(upper, d_upper);
  give(upper + channels, d_upper + channels);
  give(lower, d_lower);
  give(lower + channels, d_lower + channels);
}

/// whole(first channel) for the vectors of a pixel, or one(channel) for each where a vector would reach beyond its line.
template <class Whole, class One>
[[gnu::always_inline]] inline void for_each_vector(std::int64_t channels, bool last, const Whole& whole, const One& one) {
  if (channels < kVector && last) {
    for (std::int64_t c = 0; c < channels; ++c) one(c);
    return;
  }
  whole(0);
  for (std::int64_t c = kVector; c < channels; c += kVector) whole(std::min(c, channels - kVector));
}

[[gnu::always_inline]] inline void pairs_forward_of(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows,
                                                    const float* x, float* y) {
  const std::int64_t width = w.width.in * channels, pixels = w.width.out;
  const float least = positive ? 0 : -std::numeric_limits<float>::infinity();
  for (std::int64_t r = 0; r < rows; ++r, x += w.height.in * width) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const float *upper = x + 2 * i * width, *lower = upper + width;
      for (std::int64_t j = 0; j < pixels; ++j, upper += 2 * channels, lower += 2 * channels, y += channels) {
        for_each_vector(
            channels, j + 1 == pixels, [&](std::int64_t c) { max_of_four(upper + c, lower + c, channels, least, y + c); },
            [&](std::int64_t c) { max_of_four_in_one(upper + c, lower + c, channels, least, y + c); });
      }
    }
  }
}

[[gnu::always_inline]] inline void pairs_backward_of(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows,
                                                     const float* x, const float* y, const float* dy, float* dx) {
  const std::int64_t width = w.width.in * channels, pixels = w.width.out, seen = 2 * pixels * channels;
  for (std::int64_t r = 0; r < rows; ++r, x += w.height.in * width, dx += w.height.in * width) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const float *upper = x + 2 * i * width, *lower = upper + width;
      float *d_upper = dx + 2 * i * width, *d_lower = d_upper + width;
      for (std::int64_t j = 0; j < pixels; ++j, y += channels, dy += channels) {
        const std::int64_t at = 2 * j * channels;
        for_each_vector(
            channels, j + 1 == pixels,
            [&](std::int64_t c) {
              backward_of_four(upper + at + c, lower + at + c, y + c, dy + c, channels, positive, d_upper + at + c, d_lower + at + c);
            },
            [&](std::int64_t c) {
              backward_of_four_in_one(upper + at + c, lower + at + c, y + c, dy + c, channels, positive, d_upper + at + c,
                                      d_lower + at + c);
            });
      }
      std::fill(d_upper + seen, d_upper + width, 0.F);
      std::fill(d_lower + seen, d_lower + width, 0.F);
    }
    std::fill(dx + 2 * w.height.out * width, dx + w.height.in * width, 0.F);
  }
}

/// work(channels), as a constant where that is a common number.
template <class Work>
[[gnu::always_inline]] inline void with_channels(std::int64_t channels, const Work& work) {
  using std::integral_constant;
  switch (channels) {
    case 6: return work(integral_constant<std::int64_t, 6>());
    case 8: return work(integral_constant<std::int64_t, 8>());
    case 16: return work(integral_constant<std::int64_t, 16>());
    case 32: return work(integral_constant<std::int64_t, 32>());
    case 64: return work(integral_constant<std::int64_t, 64>());
    default: return work(channels);
  }
}

LOCKSTEP_CLONES void pairs_forward(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows, const float* x, float* y) {
  with_channels(
      channels, [&](auto count) __attribute__((always_inline)) { pairs_forward_of(w, count, positive, rows, x, y); });
}

LOCKSTEP_CLONES void pairs_backward(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows, const float* x,
                                    const float* y, const float* dy, float* dx) {
  with_channels(
      channels, [&](auto count) __attribute__((always_inline)) { pairs_backward_of(w, count, positive, rows, x, y, dy, dx); });
}

LOCKSTEP_CLONES void any_forward(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows, const float* x, float* line,
                                 float* y) {
  switch (channels) {
    case 1: return max_forward_of(w, 1, positive, rows, x, line, y);
    case 3: return max_forward_of(w, 3, positive, rows, x, line, y);
    case 8: return max_forward_of(w, 8, positive, rows, x, line, y);
    default: return max_forward_of(w, channels, positive, rows, x, line, y);
  }
}

LOCKSTEP_CLONES void any_backward(const Window2D& w, std::int64_t channels, bool positive, std::int64_t rows, const float* x,
                                  const float* y, const float* dy, float* left, float* dx) {
  switch (channels) {
    case 1: return max_backward_of(w, 1, positive, rows, x, y, dy, left, dx);
    case 3: return max_backward_of(w, 3, positive, rows, x, y, dy, left, dx);
    case 8: return max_backward_of(w, 8, positive, rows, x, y, dy, left, dx);
    default: return max_backward_of(w, channels, positive, rows, x, y, dy, left, dx);
  }
}

}  // namespace

void max_forward(const Window2D& window, std::int64_t channels, bool positive, std::int64_t rows, const float* x, float* line, float* y) {
  if (in_pairs(window, channels)) return pairs_forward(window, channels, positive, rows, x, y);
  any_forward(window, channels, positive, rows, x, line, y);
}

void max_backward(const Window2D& window, std::int64_t channels, bool positive, std::int64_t rows, const float* x, const float* y,
                  const float* dy, float* line, float* dx) {
  if (in_pairs(window, channels)) return pairs_backward(window, channels, positive, rows, x, y, dy, dx);
  any_backward(window, channels, positive, rows, x, y, dy, line, dx);
}

}  // namespace lockstep
