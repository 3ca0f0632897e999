#include "io/hdf5/attributes.h"

#include <hdf5.h>

#include <algorithm>

#include "cluster/error.h"
#include "io/hdf5/handle.h"
#include "io/hdf5/heap.h"
#include "io/hdf5/objects.h"

namespace lockstep {
namespace {

std::string attribute_place(const std::string& path, const std::string& object, const std::string& name) {
  return path + ": attribute '" + name + "' of '" + object + "'";
}

Hdf5Handle utf8_string_type() {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

/// An attribute opened for reading, with what is needed to read it.
struct OpenAttribute {
  Hdf5Handle object;
  Hdf5Handle attribute;
  Hdf5Handle type;
  Hdf5Handle space;
  std::int64_t count;  // elements
};

OpenAttribute open_attribute(hid_t file, const std::string& path, const std::string& object, const std::string& name) {
  const std::string place = attribute_place(path, object, name);
  Hdf5Handle owner = hdf5_open_object(file, path, object);
  if (H5Aexists(owner.get(), name.c_str()) <= 0) throw Error(path + ": '" + object + "' has no attribute '" + name + "'");
  Hdf5Handle attribute(hdf5_check(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), place, "cannot open it"), H5Aclose);
  Hdf5Handle type(hdf5_check(H5Aget_type(attribute.get()), place, "has no type"), H5Tclose);
  Hdf5Handle space(hdf5_check(H5Aget_space(attribute.get()), place, "has no shape"), H5Sclose);
  const std::int64_t count = H5Sget_simple_extent_npoints(space.get());
  return {std::move(owner), std::move(attribute), std::move(type), std::move(space), count};
}

/// An attribute's elements lie in the file as they are.
void expect_in_file(hid_t file, const OpenAttribute& open, const std::string& place) {
  const std::size_t width = std::max<std::size_t>(H5Tget_size(open.type.get()), 1);
  hsize_t file_bytes = 0;
  hdf5_check(H5Fget_filesize(file, &file_bytes), place, "cannot be read");
  if (static_cast<std::uint64_t>(open.count) <= file_bytes / width) return;
  throw Error(place + ": damaged: " + std::to_string(open.count) + " elements of " + std::to_string(width) + " bytes in a file of " +
              std::to_string(file_bytes));
}

/// Creates or replaces an attribute and writes it.
void write_attribute(hid_t file, const std::string& path, const std::string& object, const std::string& name, const Hdf5Handle& type,
                     const Hdf5Handle& space, const void* data) {
  const std::string place = attribute_place(path, object, name);
  Hdf5Handle owner = hdf5_open_object(file, path, object);
  if (H5Aexists(owner.get(), name.c_str()) > 0) hdf5_check(H5Adelete(owner.get(), name.c_str()), place, "cannot be replaced");
  Hdf5Handle attribute(H5Acreate2(owner.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  hdf5_check(attribute.get(), place, "cannot create it");
  hdf5_check(H5Awrite(attribute.get(), type.get(), data), place, "cannot write it");
}

void read_number(hid_t file, const std::string& path, const std::string& object, const std::string& name, hid_t type, void* out) {
  const std::string place = attribute_place(path, object, name);
  const OpenAttribute open = open_attribute(file, path, object, name);
  const H5T_class_t kind = H5Tget_class(open.type.get());
  if (open.count != 1 || (kind != H5T_INTEGER && kind != H5T_FLOAT)) throw Error(place + ": expected one number");
  if (kind == H5T_FLOAT && H5Tget_class(type) == H5T_INTEGER) throw Error(place + ": expected a whole number, found a float");
  hdf5_check(H5Aread(open.attribute.get(), type, out), place, "cannot read it");
}

extern "C" herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* data) {
  try {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  } catch (...) {
    return -1;
  }
}

}  // namespace

bool has_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const Hdf5Handle owner = hdf5_open_object(file.id(), file.path(), object);
  return H5Aexists(owner.get(), name.c_str()) > 0;
}

std::vector<std::string> attribute_names(const Hdf5File& file, const std::string& object) {
  Hdf5Silence silence(file.path(), "the attributes", {}, object);
  const Hdf5Handle owner = hdf5_open_object(file.id(), file.path(), object);
  std::vector<std::string> names;
  hdf5_check(H5Aiterate2(owner.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_attribute, &names), file.path(),
             "cannot list attributes of " + object);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> read_strings_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const std::string place = attribute_place(file.path(), object, name);
  const OpenAttribute open = open_attribute(file.id(), file.path(), object, name);
  if (open.count <= 0) return {};  // h5py writes an empty list as one of floats
  if (H5Tget_class(open.type.get()) != H5T_STRING) throw Error(place + ": expected strings");
  expect_in_file(file.id(), open, place);
  return hdf5_strings(file.id(), open.type, static_cast<std::size_t>(open.count), place,
                      [&](std::int64_t type, char* out) { hdf5_check(H5Aread(open.attribute.get(), type, out), place, "cannot read it"); });
}

std::string read_string_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  const std::vector<std::string> values = read_strings_attribute(file, object, name);
  if (values.size() != 1) {
    throw Error(attribute_place(file.path(), object, name) + ": expected one string, found " + std::to_string(values.size()));
  }
  return values.front();
}

std::int64_t read_int_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  std::int64_t value = 0;
  read_number(file.id(), file.path(), object, name, H5T_NATIVE_INT64, &value);
  return value;
}

double read_double_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  double value = 0;
  read_number(file.id(), file.path(), object, name, H5T_NATIVE_DOUBLE, &value);
  return value;
}

std::vector<double> read_doubles_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const std::string place = attribute_place(file.path(), object, name);
  const OpenAttribute open = open_attribute(file.id(), file.path(), object, name);
  const H5T_class_t kind = H5Tget_class(open.type.get());
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) throw Error(place + ": expected numbers");
  if (open.count <= 0) return {};
  expect_in_file(file.id(), open, place);
  std::vector<double> values(static_cast<std::size_t>(open.count));
  hdf5_check(H5Aread(open.attribute.get(), H5T_NATIVE_DOUBLE, values.data()), place, "cannot read it");
  return values;
}

void write_string_attribute(Hdf5File& file, const std::string& object, const std::string& name, const std::string& value) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const char* pointer = value.c_str();
  write_attribute(file.id(), file.path(), object, name, utf8_string_type(), space, &pointer);
}

void write_strings_attribute(Hdf5File& file, const std::string& object, const std::string& name, const std::vector<std::string>& values) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const hsize_t count = values.size();
  const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  std::vector<const char*> pointers;
  pointers.reserve(values.size() + 1);  // HDF5 refuses a null pointer even for no element
  for (const std::string& value : values) pointers.push_back(value.c_str());
  write_attribute(file.id(), file.path(), object, name, utf8_string_type(), space, pointers.data());
}

void write_int_attribute(Hdf5File& file, const std::string& object, const std::string& name, std::int64_t value) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle type(H5Tcopy(H5T_STD_I64LE), H5Tclose);
  write_attribute(file.id(), file.path(), object, name, type, space, &value);
}

void write_double_attribute(Hdf5File& file, const std::string& object, const std::string& name, double value) {
  Hdf5Silence silence(file.path(), "attribute", name, object);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle type(H5Tcopy(H5T_IEEE_F64LE), H5Tclose);
  write_attribute(file.id(), file.path(), object, name, type, space, &value);
}

}  // namespace lockstep
