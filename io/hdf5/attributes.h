#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/file.h"

// Attributes of a group or data set. Strings are read from variable- and fixed-length ones (padding dropped) and written as
// variable-length UTF-8, numbers as 64-bit scalars, as h5py does. A write replaces.
namespace lockstep {

bool has_attribute(const Hdf5File& file, const std::string& object, const std::string& name);
std::vector<std::string> attribute_names(const Hdf5File& file, const std::string& object);  ///< sorted
std::string read_string_attribute(const Hdf5File& file, const std::string& object, const std::string& name);
std::vector<std::string> read_strings_attribute(const Hdf5File& file, const std::string& object,
                                                const std::string& name);  ///< a scalar is a list of one
std::int64_t read_int_attribute(const Hdf5File& file, const std::string& object, const std::string& name);
std::vector<double> read_doubles_attribute(const Hdf5File& file, const std::string& object,
                                           const std::string& name);  ///< numbers of any type; one is a list of one
double read_double_attribute(const Hdf5File& file, const std::string& object, const std::string& name);
void write_string_attribute(Hdf5File& file, const std::string& object, const std::string& name, const std::string& value);
void write_strings_attribute(Hdf5File& file, const std::string& object, const std::string& name, const std::vector<std::string>& values);
void write_int_attribute(Hdf5File& file, const std::string& object, const std::string& name, std::int64_t value);
void write_double_attribute(Hdf5File& file, const std::string& object, const std::string& name, double value);

}  // namespace lockstep
