#include "io/data/row_convert.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "cluster/clones.h"
#include "cluster/error.h"

namespace lockstep {
namespace {

template <class T>
[[gnu::always_inline]] inline void convert(const std::byte* in, float* out, std::int64_t count) {
  const T* values = reinterpret_cast<const T*>(in);
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(values[i]);
}

// One function per type, since a template cannot be compiled for several instruction sets.
LOCKSTEP_CLONES void from_u8(const std::byte* in, float* out, std::int64_t count) { convert<std::uint8_t>(in, out, count); }
LOCKSTEP_CLONES void from_i8(const std::byte* in, float* out, std::int64_t count) { convert<std::int8_t>(in, out, count); }
LOCKSTEP_CLONES void from_u16(const std::byte* in, float* out, std::int64_t count) { convert<std::uint16_t>(in, out, count); }
LOCKSTEP_CLONES void from_i16(const std::byte* in, float* out, std::int64_t count) { convert<std::int16_t>(in, out, count); }
LOCKSTEP_CLONES void from_u32(const std::byte* in, float* out, std::int64_t count) { convert<std::uint32_t>(in, out, count); }
LOCKSTEP_CLONES void from_i32(const std::byte* in, float* out, std::int64_t count) { convert<std::int32_t>(in, out, count); }
LOCKSTEP_CLONES void from_u64(const std::byte* in, float* out, std::int64_t count) { convert<std::uint64_t>(in, out, count); }
LOCKSTEP_CLONES void from_i64(const std::byte* in, float* out, std::int64_t count) { convert<std::int64_t>(in, out, count); }
LOCKSTEP_CLONES void from_f64(const std::byte* in, float* out, std::int64_t count) { convert<double>(in, out, count); }
void from_f32(const std::byte* in, float* out, std::int64_t count) {
  std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
}

/// IEEE half: a shift puts exponent and fraction into a float whose exponent is 112 too small; a product corrects it, also for subnormals.
LOCKSTEP_CLONES void from_f16(const std::byte* in, float* out, std::int64_t count) {
  const auto* values = reinterpret_cast<const std::uint16_t*>(in);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t half = values[i], magnitude = (half & 0x7FFFU) << 13, sign = (half & 0x8000U) << 16;
    const std::uint32_t special = (half & 0x7C00U) == 0x7C00U ? 0x7F800000U : 0U;  // infinity and NaN keep the largest exponent
    const std::uint32_t scaled = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
    out[i] = std::bit_cast<float>((special != 0 ? magnitude | special : scaled) | sign);
  }
}

// Of a block of elements: whether one is not finite. One function per type, as above.
LOCKSTEP_CLONES bool odd_f16(const std::byte* in, std::int64_t count) {
  const auto* values = reinterpret_cast<const std::uint16_t*>(in);
  std::uint16_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max<std::uint16_t>(largest, values[i] & 0x7FFFU);
  return largest >= 0x7C00U;
}
LOCKSTEP_CLONES bool odd_f32(const std::byte* in, std::int64_t count) {
  const auto* values = reinterpret_cast<const std::uint32_t*>(in);
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max<std::uint32_t>(largest, values[i] & 0x7FFFFFFFU);
  return largest >= 0x7F800000U;
}
LOCKSTEP_CLONES bool odd_f64(const std::byte* in, std::int64_t count) {
  constexpr double kBeyond = 0x1.FFFFFFp127;  // becomes an infinite float
  const auto* values = reinterpret_cast<const std::uint64_t*>(in);
  std::uint64_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max<std::uint64_t>(largest, values[i] & 0x7FFFFFFFFFFFFFFFU);
  return largest >= std::bit_cast<std::uint64_t>(kBeyond);
}

template <class T>
void widen(const std::byte* in, double* out, std::int64_t count) {
  const T* values = reinterpret_cast<const T*>(in);
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<double>(values[i]);
}

bool odd(ElementType type, const std::byte* in, std::int64_t count) {
  switch (type) {
    case ElementType::f16: return odd_f16(in, count);
    case ElementType::f32: return odd_f32(in, count);
    case ElementType::f64: return odd_f64(in, count);
    default: return false;
  }
}

}  // namespace

std::int64_t first_not_finite(ElementType type, const std::byte* in, std::int64_t count) {
  constexpr std::int64_t kBlock = 4096;
  if (!is_floating(type)) return -1;
  const std::int64_t bytes = type_bytes(type);
  for (std::int64_t block = 0; block < count; block += kBlock) {
    if (!odd(type, in + block * bytes, std::min(kBlock, count - block))) continue;
    while (!odd(type, in + block * bytes, 1)) ++block;
    return block;
  }
  return -1;
}

void to_double(ElementType type, const std::byte* in, double* out, std::int64_t count) {
  switch (type) {
    case ElementType::u32: return widen<std::uint32_t>(in, out, count);
    case ElementType::i32: return widen<std::int32_t>(in, out, count);
    case ElementType::u64: return widen<std::uint64_t>(in, out, count);
    case ElementType::i64: return widen<std::int64_t>(in, out, count);
    case ElementType::f64: return widen<double>(in, out, count);
    default: break;
  }
  constexpr std::int64_t kBlock = 1024;  // floats hold the others
  float values[kBlock];
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t some = std::min(kBlock, count - at);
    to_float(type)(in + at * type_bytes(type), values, some);
    std::copy_n(values, some, out + at);
  }
}

void from_fortran(const std::byte* in, std::span<const std::int64_t> shape, std::size_t width, std::byte* out) {
  std::vector<std::size_t> strides(shape.size()), index(shape.size(), 0);  // in elements of `in`
  std::size_t elements = 1;
  for (std::size_t axis = 0; axis < shape.size(); elements *= static_cast<std::size_t>(shape[axis++])) strides[axis] = elements;
  std::size_t from = 0;
  for (std::size_t to = 0; to < elements; ++to) {
    std::memcpy(out + to * width, in + from * width, width);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < static_cast<std::size_t>(shape[axis])) break;
      from -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
}

double element_value(ElementType type, const std::byte* in) {
  if (type == ElementType::f64) return *reinterpret_cast<const double*>(in);
  float value = 0;
  to_float(type)(in, &value, 1);
  return static_cast<double>(value);
}

ToFloat to_float(ElementType type) {
  switch (type) {
    case ElementType::u8: return from_u8;
    case ElementType::i8: return from_i8;
    case ElementType::u16: return from_u16;
    case ElementType::i16: return from_i16;
    case ElementType::u32: return from_u32;
    case ElementType::i32: return from_i32;
    case ElementType::u64: return from_u64;
    case ElementType::i64: return from_i64;
    case ElementType::f16: return from_f16;
    case ElementType::f32: return from_f32;
    case ElementType::f64: return from_f64;
    case ElementType::other: break;
  }
  throw Error("elements of this type cannot be read as numbers");
}

}  // namespace lockstep
