#include "io/run_directory.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "cluster/error.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

std::string time_text(const char* format) { return fmt::format(fmt::runtime(std::string("{:") + format + "}"), fmt::localtime(std::time(nullptr))); }

fs::path create_named(const std::string& name) {
  fs::create_directories("runs");
  const std::string base = "runs/" + name + "-" + time_text("%Y%m%d-%H%M%S");
  for (int i = 0;; ++i) {
    fs::path path = i == 0 ? base : base + "-" + std::to_string(i);
    if (fs::create_directory(path)) return path;  // false: another job was first
  }
}

[[noreturn]] void failed(const std::string& what, const fs::path& path) {
  throw Error(what + " " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

RunDirectory RunDirectory::create(const std::optional<fs::path>& wanted, const std::string& name) {
  try {
    if (!wanted) return RunDirectory(create_named(name));
    if (fs::exists(*wanted) && (!fs::is_directory(*wanted) || !fs::is_empty(*wanted))) {
      throw Error("run directory " + wanted->string() + " exists and is not empty; go on with that run by --resume " + wanted->string() +
                      ", or give another --run-dir",
                  kUsage);
    }
    fs::create_directories(*wanted);
    return RunDirectory(*wanted);
  } catch (const fs::filesystem_error& error) {
    throw Error("cannot make the run directory " + error.path1().string() + ": " + error.code().message());
  }
}

RunDirectory RunDirectory::enter(const fs::path& path) {
  std::error_code reason;
  fs::create_directories(path, reason);
  if (reason) throw Error("cannot make the run directory " + path.string() + ": " + reason.message());
  return RunDirectory(path);
}

RunDirectory RunDirectory::open(const fs::path& path) {
  if (!fs::exists(path / "config.yaml")) {
    throw Error(path.string() + " is no run directory (it holds no config.yaml); give the one that `lockstep train` printed", kUsage);
  }
  return RunDirectory(path);
}

void RunDirectory::log(const std::string& line) const {
  std::ofstream(path_ / "log.txt", std::ios::app) << time_text("%Y-%m-%dT%H:%M:%S") << " " << line << "\n";
}

void write_text_file(const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial-" + std::to_string(getpid());
  {
    std::ofstream file(partial, std::ios::binary);
    file << text;
    file.flush();
    if (!file) failed("cannot write", partial);
  }
  const int descriptor = ::open(partial.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) failed("cannot open", partial);
  const int synced = fsync(descriptor);
  close(descriptor);
  if (synced != 0 || std::rename(partial.c_str(), path.c_str()) != 0) failed("cannot write", path);
}

std::string python_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void HistoryCsv::on_train_begin(const FitState& state) {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return;
  std::ostringstream kept;
  std::string line;
  if (std::getline(file, line)) {
    kept << line << "\n";
    std::istringstream header(line.substr(0, line.find('\r')));
    std::string key;
    std::getline(header, key, ',');  // "epoch"
    while (std::getline(header, key, ',')) keys_.push_back(key);
  }
  while (std::getline(file, line)) {
    if (std::atoll(line.c_str()) < state.epoch) kept << line << "\n";
  }
  file.close();
  write_text_file(path_, kept.str());
}

void HistoryCsv::on_epoch_end(const FitState& state, Logs& logs) {
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  if (keys_.empty()) {
    file << "epoch";
    for (const auto& [key, value] : logs) {
      keys_.push_back(key);
      file << "," << key;
    }
    file << "\r\n";
  }
  file << state.epoch;
  for (const std::string& key : keys_) file << "," << (logs.count(key) > 0 ? python_number(logs.at(key)) : "NA");
  file << "\r\n";
  file.flush();
  if (!file) throw Error("cannot write " + path_.string() + "; is the disk full?");
}

}  // namespace lockstep
