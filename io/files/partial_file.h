#pragma once
#include <string>
#include <string_view>

#include "cluster/descriptor.h"

namespace lockstep {

/// A file in the making, a piece at a time: written beside its final name (PATH.partial-PID), where commit() puts it. Without commit()
/// nothing stays behind, and an older file is as it was. Errors are SystemErrors.
class PartialFile {
 public:
  explicit PartialFile(std::string path);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  void write(std::string_view bytes);
  void commit();  ///< syncs to disk, renames

 private:
  std::string path_, partial_;
  Descriptor file_;
};

}  // namespace lockstep
