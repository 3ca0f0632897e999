#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/callbacks.h"

namespace lockstep {

/// The directory of a run: config.yaml, history.csv, log.txt, result.json, coordinator.json, checkpoints/. Used by rank 0 alone.
class RunDirectory {
 public:
  /// A new directory: `wanted`, which must not exist or be empty (else Error kUsage), or runs/NAME-DATE-TIME, with a number behind it when two
  /// jobs start in the same second.
  static RunDirectory create(const std::optional<std::filesystem::path>& wanted, const std::string& name);
  /// `path`, made if it does not exist; an earlier attempt at the same run may have left files there.
  static RunDirectory enter(const std::filesystem::path& path);
  /// An existing one, to go on with; an Error (kUsage) unless it holds a config.yaml.
  static RunDirectory open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.yaml"; }
  std::filesystem::path history() const { return path_ / "history.csv"; }
  std::filesystem::path result() const { return path_ / "result.json"; }

  /// A line with date and time at the end of log.txt.
  void log(const std::string& line) const;

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Writes a text file beside and renames it, so that readers see the old one or the new one. Failures are Errors naming the file.
void write_text_file(const std::filesystem::path& path, const std::string& text);

/// history.csv in the form of Keras' CSVLogger: "epoch" (0-based) and the logs' keys, sorted; CRLF; numbers as Python prints them; a column that
/// an epoch lacks is NA.
class HistoryCsv final : public Callback {
 public:
  /// Keeps the rows of earlier epochs (a resumed run), those from the first new epoch on are written anew.
  explicit HistoryCsv(std::filesystem::path path) : path_(std::move(path)) {}
  void on_train_begin(const FitState& state) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;

 private:
  std::filesystem::path path_;
  std::vector<std::string> keys_;
};

/// The shortest text that reads back as the same double, in Python's form: 0.1, 1e-07, 1.0.
std::string python_number(double value);

}  // namespace lockstep
