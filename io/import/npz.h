#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/file.h"
#include "io/import/npy.h"

namespace lockstep {

/// Features and targets of one split, with the names of their arrays or files for messages. No `truth_name`: there are no targets.
struct NpySplit {
  std::string split;
  NpyArray features, truth;
  std::string features_name, truth_name;
};

struct NpzContent {
  std::vector<NpySplit> splits;
  std::vector<std::string> unused;  ///< names of arrays that were not read
};

/// Splits of an archive (np.savez, np.savez_compressed). `arrays`: "SPLIT=FEATURES,TARGETS" or "SPLIT=FEATURES" for each; empty: those
/// that are there of x_train and y_train, x_valid or x_val, x_test, or x and y, which are "train"; X for x also. Other arrays are not
/// read. An Error that lists the names where there are none.
NpzContent read_npz(std::string_view bytes, const std::string& path, const std::vector<std::string>& arrays);

/// Writes /SPLIT/x and /SPLIT/y of every split as they are. Targets that are texts become classes: their sorted distinct values over all
/// splits. `class_names` name classes 0, 1, ... of whole numbers, which are counted from `first_label`.
void write_npy(Hdf5File& file, const std::vector<NpySplit>& splits, const std::vector<std::string>& class_names,
               std::int64_t first_label = 0);

/// Rows of an .npz or .npy file as features of a model, some at a time; the arrays are in memory.
class NumpyRows {
 public:
  /// `array` of an .npz file; empty: x, X, x_test, X_test, or the only array of rows that is not among `ids`. `ids`: arrays of one number
  /// or text a row to carry through.
  NumpyRows(const std::string& path, const std::string& array, const std::vector<std::string>& ids);
  /// The next rows, at most `count`; 0 at the end.
  std::int64_t next(std::int64_t count, std::vector<float>& features, std::vector<std::vector<std::string>>& ids);
  /// Which array it is.
  const std::string& note() const { return note_; }

 private:
  NpyArray features_;
  std::vector<NpyArray> ids_;
  std::string note_;
  std::int64_t done_ = 0;
};

}  // namespace lockstep
