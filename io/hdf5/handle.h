#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/watchdog/crash_report.h"

// What the files of Hdf5File share: ids with an owner, and HDF5's errors as ours. hid_t is std::int64_t and herr_t is int (asserted).
namespace lockstep {

/// Owns an HDF5 id and closes it with the function of its kind. An id below 0 owns nothing.
class Hdf5Handle {
 public:
  using Close = int (*)(std::int64_t);
  Hdf5Handle(std::int64_t id, Close close) : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  std::int64_t get() const { return id_; }

 private:
  std::int64_t id_;
  Close close_;
};

/// While one lives, HDF5 prints no errors in this thread (its error stack and its setting are per thread), and the report of a crash in
/// HDF5 names what was read (Reading, whose arguments it takes). First line of every function that calls HDF5, so that it outlives the
/// handles.
class Hdf5Silence {
 public:
  explicit Hdf5Silence(std::string_view file, std::string_view kind = "the file", std::string_view name = {}, std::string_view owner = {});
  Hdf5Silence(const Hdf5Silence&) = delete;
  Hdf5Silence& operator=(const Hdf5Silence&) = delete;
  ~Hdf5Silence();

 private:
  const Reading reading_;
  int (*function_)(std::int64_t, void*) = nullptr;
  void* data_ = nullptr;
};

/// Innermost message of the last failed call in this thread, " (HDF5: ...)"; empty if there is none.
std::string hdf5_message();

/// Throws Error("WHERE: what (HDF5: ...)") if a call failed (result < 0); returns the result otherwise.
std::int64_t hdf5_check(std::int64_t result, const std::string& where, const std::string& what);

}  // namespace lockstep
