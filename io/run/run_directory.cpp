#include "io/run/run_directory.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include "cluster/descriptor.h"
#include "cluster/error.h"
#include "cluster/regular_file.h"
#include "io/checkpoint/folder.h"
#include "io/files/durable_file.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

std::string time_text(const char* format) {
  return fmt::format(fmt::runtime(std::string("{:") + format + "}"), fmt::localtime(std::time(nullptr)));
}

/// Whether this is what a process leaves that is killed while it writes: NAME.partial-PID, .coordinator.json.PID.
bool is_partial(const std::string& name) {
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;
  const std::string_view start = std::string_view(name).substr(0, digits);
  return digits < name.size() && (start.ends_with(".partial-") || start == ".coordinator.json.");
}

fs::path create_named(const std::string& name) {
  fs::create_directories("runs");
  const std::string base = "runs/" + name + "-" + time_text("%Y%m%d-%H%M%S");
  for (int i = 0;; ++i) {
    fs::path path = i == 0 ? base : base + "-" + std::to_string(i);
    if (fs::create_directory(path)) return path;  // false: another job was first
  }
}

/// Whether it may lie in the directory of a run that has not done an epoch or a checkpoint.
bool is_of_a_start(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (name == "logs") return entry.is_directory();
  if (name == "checkpoints") return entry.is_directory() && fs::is_empty(entry.path());
  const auto is = [&](const char* known) { return name == known || name.starts_with(std::string(known) + ".partial-"); };
  return is("config.yaml") || is("coordinator.json") || is("fault.json") || name == "log.txt" || name == ".lock";
}

std::string hostname() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

[[noreturn]] void failed(const std::string& what, const fs::path& path) {
  throw Error(what + " " + path.string() + ": " + std::strerror(errno));
}

/// The file or directory behind a name, whatever it is called later.
struct Identity {
  explicit Identity(const struct stat& found) : device(found.st_dev), number(found.st_ino) {}
  bool operator==(const Identity&) const = default;
  dev_t device;
  ino_t number;
};

/// What stands under a path; nothing if nothing does. A SystemError where that cannot be told.
std::optional<Identity> identity(const fs::path& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) return Identity(found);
  if (errno != ENOENT && errno != ENOTDIR) throw SystemError(path.string(), "cannot access it", errno);
  return std::nullopt;
}

}  // namespace

struct RunDirectory::Lock {
  Lock(int opened, const fs::path& path) : file(opened), directory(identity(path)) {}
  Descriptor file;
  std::optional<Identity> directory;
};

RunDirectory RunDirectory::create(const std::optional<fs::path>& wanted, const std::string& name) {
  try {
    if (!wanted) return RunDirectory(create_named(name), true);
    RunDirectory directory(*wanted);
    directory.expect_untrained();
    directory.created_ = fs::create_directories(*wanted);
    return directory;
  } catch (const fs::filesystem_error& error) {
    throw Error("cannot make the run directory " + error.path1().string() + ": " + error.code().message());
  }
}

bool RunDirectory::untrained() const {
  if (!path_exists(path_.string())) return true;
  if (!fs::is_directory(path_)) return false;
  const fs::directory_iterator entries(path_);
  return fs::is_empty(path_) || (fs::exists(path_ / ".lock") && std::all_of(begin(entries), end(entries), is_of_a_start));
}

void RunDirectory::expect_untrained() const {
  if (untrained()) return;
  throw Error("run directory " + path_.string() + " exists and is not empty; go on with that run by --resume " + path_.string() +
                  ", or give another --run-dir",
              kUsage);
}

RunDirectory RunDirectory::enter(const fs::path& path) {
  std::error_code reason;
  const bool created = fs::create_directories(path, reason);
  if (reason) throw Error("cannot make the run directory " + path.string() + ": " + reason.message());
  return RunDirectory(path, created);
}

RunDirectory RunDirectory::open(const fs::path& path) {
  if (!fs::exists(path / "config.yaml")) {
    throw Error(path.string() + " is no run directory (it holds no config.yaml); give the one that `lockstep train` printed", kUsage);
  }
  return RunDirectory(path);
}

std::optional<RunDirectory> RunDirectory::locked_by_another(const fs::path& path) {
  RunDirectory directory(path);
  const int id = ::open((path / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (id < 0) return std::nullopt;
  directory.lock_ = std::make_shared<const Lock>(id, path);
  return directory;
}

void RunDirectory::lock(std::chrono::milliseconds patience) {
  constexpr auto kPause = std::chrono::milliseconds(20);
  const fs::path file = path_ / ".lock";
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    expect_regular_file(file.string());
    const int id = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (id < 0) failed("cannot open", file);
    lock_ = std::make_shared<const Lock>(id, path_);
    if (flock(id, LOCK_EX | LOCK_NB) == 0) {
      struct stat own {};
      if (fstat(id, &own) == 0 && identity(file) == Identity(own)) break;
      if (std::chrono::steady_clock::now() >= end) {
        lock_.reset();  // a file system that numbers its files anew each time: as one without locks
        break;
      }
      std::this_thread::sleep_for(kPause);  // another file took its name before it was locked
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) break;  // a file system without locks: as it was before there were any
    if (std::chrono::steady_clock::now() >= end) {
      std::string holder;
      std::getline(std::ifstream(file), holder);
      throw Error("run directory " + path_.string() + " is in use by " + holder +
                      "; wait for the end of that run, or stop it: lockstep stop " + path_.string(),
                  kUsage);
    }
    std::this_thread::sleep_for(kPause);
  }
  const std::string holder = fmt::format("process {} on {}\n", getpid(), hostname());
  [[maybe_unused]] const bool told =  // only a message of others would lack it
      lock_ && ftruncate(lock_->file.get(), 0) == 0 && pwrite(lock_->file.get(), holder.data(), holder.size(), 0) >= 0;
  for (const std::string& name : directory_names(path_.string())) {
    if (is_partial(name)) ::unlink((path_ / name).c_str());
  }
  if (const std::string checkpoints = checkpoint_folder(path_.string()); path_exists(checkpoints)) remove_partial_checkpoints(checkpoints);
}

void RunDirectory::set_mode(fs::perms mode) const {
  std::error_code reason;
  if (fs::status(path_, reason).permissions() == mode) return;
  fs::permissions(path_, mode, reason);
  if (reason) std::fprintf(stderr, "warning: cannot set the mode of %s (run_dir_mode): %s\n", path_.c_str(), reason.message().c_str());
}

void RunDirectory::expect_held() const {
  if (!lock_) return;
  struct stat own {};
  if (fstat(lock_->file.get(), &own) != 0) throw SystemError((path_ / ".lock").string(), "cannot access it", errno);
  if (identity(path_ / ".lock") == Identity(own)) return;
  if (lock_->directory && identity(path_) == lock_->directory) {
    throw RunDirectoryLost(
        (path_ / ".lock").string() +
        " was removed or replaced while the run went on, so that another run may write there: this one ends and writes nothing more");
  }
  std::error_code none;
  const fs::path now = fs::read_symlink("/proc/self/fd/" + std::to_string(lock_->file.get()), none).parent_path();
  if (!now.empty() && lock_->directory && identity(now) == lock_->directory) {
    throw RunDirectoryLost(fmt::format(
        "the run directory {0} was renamed to {1} while the run went on: it ends and writes nothing more; go on with it by --resume {1}",
        path_.string(), now.string()));
  }
  throw RunDirectoryLost(
      fmt::format("the run directory {} was removed, or renamed, while the run went on: it ends and writes nothing more", path_.string()));
}

void RunDirectory::log(const std::string& line) const {
  try {
    expect_held();
    expect_regular_file((path_ / "log.txt").string());
  } catch (const Error&) {
    return;
  }
  std::ofstream(path_ / "log.txt", std::ios::app) << time_text("%Y-%m-%dT%H:%M:%S") << " " << line << "\n";
}

void write_text_file(const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial-" + std::to_string(getpid());
  const auto fail = [&] {
    const int reason = errno;
    ::unlink(partial.c_str());
    errno = reason;
    failed("cannot write", path);
  };
  {
    std::ofstream file(partial, std::ios::binary);
    file << text;
    file.flush();
    if (!file) fail();
  }
  const int descriptor = ::open(partial.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail();
  const int synced = fsync(descriptor), reason = errno;
  close(descriptor);
  errno = reason;
  if (synced != 0 || std::rename(partial.c_str(), path.c_str()) != 0) fail();
}

std::string python_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

HistoryCsv::HistoryCsv(fs::path path, const History& before, std::function<void()> before_write)
    : path_(std::move(path)), before_write_(std::move(before_write)) {
  for (std::size_t i = 0; i < before.epoch.size(); ++i) {
    Logs logs;
    for (const auto& [key, values] : before.history) {
      if (i < values.size()) logs[key] = values[i];
    }
    add(before.epoch[i], logs);
  }
}

void HistoryCsv::on_train_begin(const FitState&) {
  if (!text_.empty() || path_exists(path_.string())) write();
}

std::string HistoryCsv::row(std::int64_t epoch, const Logs& logs) const {
  std::string text = std::to_string(epoch);
  for (const std::string& key : keys_) text += "," + (logs.count(key) > 0 ? python_number(logs.at(key)) : "NA");
  return text + "\r\n";
}

void HistoryCsv::add(std::int64_t epoch, const Logs& logs) {
  const std::size_t before = keys_.size();
  for (const auto& [key, value] : logs) keys_.insert(key);
  rows_.emplace_back(epoch, logs);
  if (keys_.size() == before) {
    text_ += row(epoch, logs);
    return;
  }
  text_ = "epoch";
  for (const std::string& key : keys_) text_ += "," + key;
  text_ += "\r\n";
  for (const auto& [done, values] : rows_) text_ += row(done, values);
}

void HistoryCsv::on_epoch_end(const FitState& state, Logs& logs) {
  const std::size_t columns = keys_.size(), before = text_.size();
  add(state.epoch, logs);
  try {
    before_write_();
    expect_regular_file(path_.string());
    if (behind_ || (keys_.size() > columns && columns > 0)) {
      behind_ = true;
      write();
      return;
    }
    std::ofstream file(path_, std::ios::app | std::ios::binary);
    file << std::string_view(text_).substr(before);
    file.flush();
    behind_ = !file;
  } catch (const RunDirectoryLost&) {
    behind_ = true;
    return;
  } catch (const Error&) {
    behind_ = true;
  }
  if (behind_) std::fprintf(stderr, "warning: cannot write %s (is the disk full?); training goes on\n", path_.c_str());
}

void HistoryCsv::finish() {
  if (behind_) write();
}

void HistoryCsv::write() {
  before_write_();
  write_text_file(path_, text_);
  behind_ = false;
}

}  // namespace lockstep
