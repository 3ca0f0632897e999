#include "io/row_convert.h"

#include <bit>
#include <cstring>

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
void from_f32(const std::byte* in, float* out, std::int64_t count) { std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float)); }

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

}  // namespace

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
