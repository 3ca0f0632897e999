#include "io/hdf5/types.h"

#include <hdf5.h>

namespace lockstep {
namespace {

Hdf5Handle little_endian_half() {
  Hdf5Handle half(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(half.get(), 15, 10, 5, 0, 10);
  H5Tset_size(half.get(), 2);
  H5Tset_ebias(half.get(), 15);
  return half;
}

}  // namespace

Hdf5Handle hdf5_memory_type(ElementType type) {
  const auto copy = [](hid_t id) { return Hdf5Handle(H5Tcopy(id), H5Tclose); };
  switch (type) {
    case ElementType::u8: return copy(H5T_STD_U8LE);
    case ElementType::i8: return copy(H5T_STD_I8LE);
    case ElementType::u16: return copy(H5T_STD_U16LE);
    case ElementType::i16: return copy(H5T_STD_I16LE);
    case ElementType::u32: return copy(H5T_STD_U32LE);
    case ElementType::i32: return copy(H5T_STD_I32LE);
    case ElementType::u64: return copy(H5T_STD_U64LE);
    case ElementType::i64: return copy(H5T_STD_I64LE);
    case ElementType::f16: return little_endian_half();
    case ElementType::f32: return copy(H5T_IEEE_F32LE);
    case ElementType::f64: return copy(H5T_IEEE_F64LE);
    case ElementType::other: break;
  }
  return Hdf5Handle(-1, H5Tclose);
}

Hdf5Type hdf5_classify(const Hdf5Handle& stored) {
  Hdf5Handle type(H5Tget_class(stored.get()) == H5T_ENUM ? H5Tget_super(stored.get()) : H5Tcopy(stored.get()), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind == H5T_BITFIELD) {
    switch (H5Tget_size(type.get())) {
      case 1: return {ElementType::u8, false};
      case 2: return {ElementType::u16, false};
      case 4: return {ElementType::u32, false};
      case 8: return {ElementType::u64, false};
      default: return {};
    }
  }
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return {};
  const bool native = H5Tget_order(type.get()) == H5T_ORDER_LE || H5Tget_size(type.get()) == 1;
  H5Tset_order(type.get(), H5T_ORDER_LE);
  for (int i = 0; i < static_cast<int>(ElementType::other); ++i) {
    const auto one = static_cast<ElementType>(i);
    if (H5Tequal(type.get(), hdf5_memory_type(one).get()) > 0) return {one, native};
  }
  return {};
}

}  // namespace lockstep
