#include <cmath>

#include "core/math/gemm/tiles.h"

namespace lockstep {
namespace {

struct Scalar {
  static constexpr std::int64_t kWidth = 1, kRows = 4;
  struct Part {};  // a vector of one float has no parts
  static Part part(std::int64_t) { return {}; }
  static Scalar all(float x) { return {x}; }
  static Scalar load(const float* from) { return {*from}; }
  static Scalar load(const float* from, Part) { return {*from}; }
  void store(float* to) const { *to = v; }
  void store(float* to, Part) const { *to = v; }
  static Scalar fma(Scalar a, Scalar b, Scalar c) { return {std::fma(a.v, b.v, c.v)}; }
  static Scalar add(Scalar a, Scalar b) { return {a.v + b.v}; }
  static Scalar positive(Scalar a) { return {a.v < 0 ? 0 : a.v}; }
  static void transpose(const float* from, std::int64_t, float* to, std::int64_t to_stride) {
    for (std::int64_t k = 0; k < 4; ++k) to[k * to_stride] = from[k];
  }

  float v;
};

}  // namespace

const GemmKernels kGemmPortable{multiply<Scalar>, transpose<Scalar>};

}  // namespace lockstep
