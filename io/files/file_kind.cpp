#include "io/files/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cluster/error.h"
#include "io/files/file_bytes.h"

namespace lockstep {
namespace {

using namespace std::string_view_literals;

std::string first_bytes(const std::string& path) {
  try {
    return file_start(path, 16).bytes;
  } catch (const Error&) {
    return "";
  }
}

/// Programs of one line that make a CSV of it.
std::string by_pandas(const std::string& path, const std::string& reader) {
  return fmt::format(
      "python3 -c \"import pandas; pandas.{}('{}').to_csv('table.csv', index=False)\" and then: lockstep data import csv "
      "table.csv",
      reader, path);
}

}  // namespace

std::string file_kind_advice(const std::string& path) {
  const std::string start = first_bytes(path);
  const auto begins = [&](std::string_view magic) { return std::string_view(start).starts_with(magic); };
  const auto ends = [&](std::string_view end) { return path.ends_with(end); };
  if (begins("PAR1")) return "it is a Parquet file, for which no library is in Debian; " + by_pandas(path, "read_parquet");
  if (begins("ARROW1") || (ends(".feather") && begins("FEA1"))) return "it is an Arrow file; " + by_pandas(path, "read_feather");
  if (begins("PK\3\4") && ends(".npz")) return "it is an archive of NumPy; lockstep data import npz " + path;
  if (begins("PK\3\4") && ends(".xlsx")) return "it is a table of Excel; save it as CSV, or " + by_pandas(path, "read_excel");
  if (begins("\x93NUMPY")) return "it is an array of NumPy; lockstep data import npy " + path;
  if (begins("\x89PNG") || begins("\xFF\xD8\xFF")) return "it is a picture; lockstep data import images takes its folder";
  if (begins("\0\0\x08"sv) || ends("-ubyte.gz") || ends("-ubyte")) return "it is an idx file; lockstep data import idx takes it";
  if (begins("CDF")) return "it is a file of netCDF-3; nccopy -k netCDF-4 writes it as netCDF-4, which is HDF5";
  if (begins("MATLAB 5.0")) return "it is a file of MATLAB before 7.3; save it with save(..., '-v7.3'), which is HDF5";
  if (begins("\x80\x04\x95") || ends(".pkl") || ends(".pickle")) return "it is a pickle, a program and not data; save arrays with np.savez";
  const bool text =
      !start.empty() && std::all_of(start.begin(), start.end(), [](char c) { return c >= ' ' || c == '\t' || c == '\r' || c == '\n'; });
  if (text || ends(".csv") || ends(".csv.gz"))
    return "if it is a table of text: lockstep data import csv " + path + " (with --like TRAINING_DATA.h5 for a model that is trained)";
  return "";
}

}  // namespace lockstep
