#include "io/hdf5/element_type.h"

#include <algorithm>
#include <array>

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

}  // namespace

std::string_view type_name(ElementType type) { return row_of(type).name; }
std::int64_t type_bytes(ElementType type) { return row_of(type).bytes; }
bool is_floating(ElementType type) { return type == ElementType::f16 || type == ElementType::f32 || type == ElementType::f64; }

std::string_view layout_name(StorageLayout layout) {
  return layout == StorageLayout::compact ? "compact" : layout == StorageLayout::contiguous ? "contiguous" : "chunked";
}

}  // namespace lockstep
