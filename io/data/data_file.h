#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data/names.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// A data file is an HDF5 file with one group per split and the same names in each:
///
///   /train/x       (rows, ...)          inputs, first axis = rows; any integer or float type, any layout
///   /train/y       (rows) or (rows, k)  targets: a class index per row, or numbers
///   /train/weight  (rows)               optional sample weights
///   /valid/..., /test/...               further splits
///
/// Attributes of the root group: "class_names" (list of strings: name of class 0, 1, ...) where y is a class index, "feature_names" (one
/// per column of x) for tables, "target_names" (one per column of y) where y holds numbers, and an optional "description". A list of more
/// than 4000 names is cut into attributes "feature_names0", "feature_names1", ..., as Keras does. Other arrays with rows as first axis can
/// be trained on as well; this is only what `lockstep data` writes and what is looked for by default.
DataNames read_names(const Hdf5File& file);
void write_names(Hdf5File& file, const DataNames& names);

/// For the start of a program, before its first HDF5 file: at the program's end HDF5 leaves files alone. It would try once more there to
/// write those whose close has failed, which on a full disk it gives up only after "infinite loop closing library".
void leave_files_at_exit();

/// A data file in the making: written beside its final name (PATH.partial-PID) and renamed by commit(), so that a half-written file never
/// stands under `path`. Without commit() nothing stays behind. An existing file is refused unless `force`; what is no HDF5 file always is.
class DataFileWriter {
 public:
  DataFileWriter(std::string path, bool force);
  DataFileWriter(const DataFileWriter&) = delete;
  DataFileWriter& operator=(const DataFileWriter&) = delete;
  ~DataFileWriter();

  Hdf5File& file() { return *file_; }
  void commit();  ///< closes, syncs to disk, renames

 private:
  void refuse_existing() const;
  std::string path_;
  std::string partial_;
  bool force_;
  std::optional<Hdf5File> file_;
};

}  // namespace lockstep
