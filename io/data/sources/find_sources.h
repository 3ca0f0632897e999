#pragma once
#include <string>
#include <vector>

#include "io/data/sources/row_source.h"

// Data sets by the names that people give: plain ones, variables of netCDF-4 and columns of a pandas frame (to_hdf, format 'fixed').
namespace lockstep {

/// The full name of a data set, which may begin with the root or within the group.
std::string full_name(const std::string& group, const std::string& name);

/// Sources of these names, one behind the other. Packed values of netCDF are unpacked (scale_factor, add_offset) and their fill values are
/// NaN. `reversed`: the last axis counts rows, where there are several. A name that is not there is an Error (kUsage).
std::vector<RowSource> find_sources(const Hdf5File& file, const std::string& group, const std::vector<std::string>& names, bool reversed);

/// Names of the number columns of a group that is a pandas frame; empty: it is none.
std::vector<std::string> frame_columns(const Hdf5File& file, const std::string& group);

/// Makes strings and members of an enumeration class indices. `class_names`: the classes, if the file lists them; else strings are sorted
/// and members are in the order of their values. Returns the names of the classes; none if the source holds numbers.
std::vector<std::string> name_classes(const Hdf5File& file, RowSource& labels, const std::vector<std::string>& class_names);

}  // namespace lockstep
