#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "core/training/callbacks.h"

namespace lockstep {

/// The run's directory has been moved or removed, or another run may write there.
class RunDirectoryLost : public Error {
 public:
  using Error::Error;
};

/// The directory of a run: config.yaml, history.csv, log.txt, result.json, coordinator.json, checkpoints/. Used by rank 0; others only look
/// whether it is still there.
class RunDirectory {
 public:
  /// A new directory: `wanted`, which must not exist or hold nothing but what a start leaves that never came to train (else Error kUsage),
  /// or runs/NAME-DATE-TIME, with a number behind it when two jobs start in the same second.
  static RunDirectory create(const std::optional<std::filesystem::path>& wanted, const std::string& name);
  /// `path`, made if it does not exist; an earlier attempt at the same run may have left files there.
  static RunDirectory enter(const std::filesystem::path& path);
  /// An existing one, to go on with; an Error (kUsage) unless it holds a config.yaml.
  static RunDirectory open(const std::filesystem::path& path);
  /// The one that rank 0 has locked, for expect_held() on another rank; none where this host does not show it.
  static std::optional<RunDirectory> locked_by_another(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  bool created() const { return created_; }  ///< by this process; else it was there
  std::filesystem::path config() const { return path_ / "config.yaml"; }
  std::filesystem::path history() const { return path_ / "history.csv"; }
  std::filesystem::path result() const { return path_ / "result.json"; }

  /// Makes this process the only one that writes here, until it ends however it ends: a second one on the same directory would mix two
  /// runs. A run whose last process is still on its way out is waited for, up to `patience`; then an Error that names it. What killed
  /// processes left half-written is removed.
  void lock(std::chrono::milliseconds patience = std::chrono::seconds(20));

  /// Sets who may enter it. A file system that refuses is a warning.
  void set_mode(std::filesystem::perms mode) const;

  /// A RunDirectoryLost if the locked directory was renamed or removed, or its lock file removed or replaced. A SystemError if that cannot
  /// be told now. Call it before each write, from any thread.
  void expect_held() const;

  /// Whether it holds nothing but what a start of ours leaves that never came to an epoch's end or a checkpoint; so does one that is not
  /// there.
  bool untrained() const;
  /// Otherwise the Error (kUsage) of create().
  void expect_untrained() const;

  /// Appends a line with date and time to log.txt, unless the directory is lost.
  void log(const std::string& line) const;

 private:
  explicit RunDirectory(std::filesystem::path path, bool created = false) : path_(std::move(path)), created_(created) {}
  std::filesystem::path path_;
  bool created_ = false;
  struct Lock;
  std::shared_ptr<const Lock> lock_;
};

/// Writes a text file beside and renames it, so that readers see the old one or the new one. Failures are Errors naming the file.
void write_text_file(const std::filesystem::path& path, const std::string& text);

/// history.csv in the form of Keras' CSVLogger: "epoch" (0-based) and the logs' keys, sorted; CRLF; numbers as Python prints them; a column
/// that an epoch lacks is NA. With the first epoch that has a new column the whole file is written anew, beside and renamed. A row that
/// cannot be written (a full disk) is a warning and comes with the next one, or at finish().
class HistoryCsv final : public Callback {
 public:
  /// The file begins with the epochs of `before` (a resumed run), whatever stands in it.
  /// `before_write` is called before each write; a RunDirectoryLost from it is not told here.
  explicit HistoryCsv(
      std::filesystem::path path, const History& before = {}, std::function<void()> before_write = [] {});
  void on_train_begin(const FitState& state) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;
  /// Error if rows are missing and still cannot be written.
  void finish();

 private:
  void add(std::int64_t epoch, const Logs& logs);
  std::string row(std::int64_t epoch, const Logs& logs) const;
  void write();

  std::filesystem::path path_;
  std::function<void()> before_write_;
  std::string text_;  // of the whole file
  std::set<std::string> keys_;
  std::vector<std::pair<std::int64_t, Logs>> rows_;
  bool behind_ = false;  // the file lacks rows: the disk was full
};

/// The shortest text that reads back as the same double, in Python's form: 0.1, 1e-07, 1.0.
std::string python_number(double value);

}  // namespace lockstep
