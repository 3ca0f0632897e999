#include <hdf5.h>

#include <algorithm>
#include <array>

#include "io/hdf5/file.h"
#include "io/hdf5/handle.h"

namespace lockstep {
namespace {

struct TypeRow {
  ElementType type;
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array<TypeRow, 12> kTypes{{{ElementType::u8, "uint8", 1},
                                          {ElementType::i8, "int8", 1},
                                          {ElementType::u16, "uint16", 2},
                                          {ElementType::i16, "int16", 2},
                                          {ElementType::u32, "uint32", 4},
                                          {ElementType::i32, "int32", 4},
                                          {ElementType::u64, "uint64", 8},
                                          {ElementType::i64, "int64", 8},
                                          {ElementType::f16, "float16", 2},
                                          {ElementType::f32, "float32", 4},
                                          {ElementType::f64, "float64", 8},
                                          {ElementType::other, "other", 0}}};

const TypeRow& row_of(ElementType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeRow& row) { return row.type == type; });
}

Hdf5Handle little_endian_half() {
  Hdf5Handle half(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(half.get(), 15, 10, 5, 0, 10);
  H5Tset_size(half.get(), 2);
  H5Tset_ebias(half.get(), 15);
  return half;
}

}  // namespace

std::string_view type_name(ElementType type) { return row_of(type).name; }
std::int64_t type_bytes(ElementType type) { return row_of(type).bytes; }
bool is_floating(ElementType type) { return type == ElementType::f16 || type == ElementType::f32 || type == ElementType::f64; }

std::string_view layout_name(StorageLayout layout) {
  return layout == StorageLayout::compact ? "compact" : layout == StorageLayout::contiguous ? "contiguous" : "chunked";
}

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
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return {};
  const bool native = H5Tget_order(type.get()) == H5T_ORDER_LE || H5Tget_size(type.get()) == 1;
  H5Tset_order(type.get(), H5T_ORDER_LE);
  for (const TypeRow& row : kTypes) {
    if (row.type != ElementType::other && H5Tequal(type.get(), hdf5_memory_type(row.type).get()) > 0) return {row.type, native};
  }
  return {};
}

}  // namespace lockstep
