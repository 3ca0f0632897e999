#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/data/row_digest.h"
#include "io/hdf5/dataset.h"

namespace lockstep {

class World;

/// A digest of the content of a data set: every row of features, truth and weight. It does not depend on names and places of files, nor on
/// chunks and compression. A background thread of each rank reads and hashes a part of the rows.
///
/// Ranks that see the same files (inode, size and times agree, as over a shared file system) share the work. A host with a copy of its own
/// hashes that copy. So a job reads each copy once.
class DataDigest {
 public:
  /// Finds out which ranks see the same copy. `what`: "the training data". An AgreedError where descriptions differ. Collective.
  DataDigest(const World& world, std::string what, const Hdf5Dataset& data);
  /// Stops the thread; what it has not read stays unread.
  ~DataDigest();
  DataDigest(const DataDigest&) = delete;
  DataDigest& operator=(const DataDigest&) = delete;

  /// Number of different copies that ranks see. With one, ranks cannot differ.
  int copies() const { return copies_; }
  /// Starts the thread that reads this rank's part; `aside`: at low priority, or, where it takes HDF5's lock, at most half of the time
  /// until compare().
  void start(bool aside);
  /// Whether all ranks have read their part. Collective.
  bool read_by_all() const;
  /// Waits until all have; copies that differ are an AgreedError that names the data set, what differs, ranks and hosts. Collective.
  void compare();
  /// "1100 rows, x uint8 (28, 28) 0123456789abcdef, y uint8 89abcdef01234567": equal texts are equal content. Empty before compare().
  const std::string& text() const { return text_; }

 private:
  struct Reading;
  std::string describe(const RowDigest* digest) const;  // null: type and shape alone

  const World& world_;
  const std::string what_;
  const Hdf5Dataset data_;                 // a description
  std::vector<std::string> keys_, hosts_;  // of all ranks: which copy they see
  int copies_ = 1;
  std::unique_ptr<Reading> reading_;
  std::string text_;
};

/// Ranks whose copies of a data set differ are an AgreedError. Where all see the same files nothing is read. Collective.
void expect_same_data(const World& world, const Hdf5Dataset& data);

}  // namespace lockstep
