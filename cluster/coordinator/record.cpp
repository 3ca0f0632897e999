#include "cluster/coordinator/record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cluster/error.h"
#include "cluster/json.h"
#include "cluster/regular_file.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFile = "coordinator.json";

class File {
 public:
  File(const fs::path& path, int flags, mode_t mode) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  bool write_all(const std::string& text) const {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t count = write(fd_, text.data() + done, text.size() - done);
      if (count < 0 && errno != EINTR) return false;
      if (count > 0) done += static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  int fd_;
};

Json to_json(const CoordinatorRecord& record) {
  Json json;
  if (record.ended) {
    json = {{"ended", true}, {"phase", record.phase}, {"reason", record.reason}, {"finished", record.finished}};
  } else {
    json = {{"address", record.address}, {"remote", record.remote}, {"token", record.token}};
    if (!record.certificate.empty()) json["certificate"] = record.certificate;
  }
  json["host"] = record.host;
  json["pid"] = record.pid;
  json["started"] = record.started;
  return json;
}

CoordinatorRecord from_json(const Json& json) {
  CoordinatorRecord record;
  record.ended = json.value("ended", false);
  record.host = json.at("host").get<std::string>();
  record.pid = json.at("pid").get<std::int64_t>();
  record.started = json.at("started").get<double>();
  if (record.ended) {
    record.phase = json.at("phase").get<std::string>();
    record.reason = json.at("reason").get<std::string>();
    record.finished = json.at("finished").get<double>();
  } else {
    record.address = json.at("address").get<std::string>();
    record.remote = json.at("remote").get<std::vector<std::string>>();
    record.token = json.at("token").get<std::string>();
    record.certificate = json.value("certificate", "");
  }
  return record;
}

}  // namespace

void write_record(const fs::path& run_dir, const CoordinatorRecord& record) {
  const fs::path path = run_dir / kFile;
  const fs::path beside = run_dir / (".coordinator.json." + std::to_string(getpid()));
  const auto fail = [&](const fs::path& what) {
    const int error = errno;
    unlink(beside.c_str());
    throw Error("coordinator: cannot write " + what.string() + ": " + std::strerror(error) +
                "; the run directory must exist and be writable by rank 0");
  };
  unlink(beside.c_str());  // left by a process of the same id that was killed
  // replace: a reason from outside may hold bytes that are no UTF-8, which must not lose the record
  const std::string text = to_json(record).dump(2) + "\n";
  {
    const File file(beside, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file.is_open() || !file.write_all(text)) fail(beside);
  }
  if (rename(beside.c_str(), path.c_str()) != 0) fail(path);
}

CoordinatorRecord read_record(const fs::path& run_dir) {
  const fs::path path = run_dir / kFile;
  std::error_code ignored;
  if (!fs::is_directory(run_dir, ignored)) {
    throw Error("no run directory " + run_dir.string() + "; give the directory of a run, or HOST:PORT of its coordinator");
  }
  if (!fs::exists(path, ignored)) {
    throw Error("no coordinator.json in " + run_dir.string() + "; it is no run directory, or its run has not started its coordinator yet");
  }
  expect_regular_file(path.string());
  std::ifstream file(path);
  if (!file) throw Error(path.string() + ": cannot be read (" + std::strerror(errno) + "); only the user who started the run may");
  try {
    return from_json(Json::parse(std::string(std::istreambuf_iterator<char>(file), {})));
  } catch (const JsonError& e) {
    throw Error(path.string() + ": not a coordinator's record: " + e.what());
  }
}

std::string record_permission_warning(const fs::path& run_dir) {
  const fs::path path = run_dir / kFile;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return "";
  return path.string() + " is open to other users: it holds the token that steers this run; chmod 600 it";
}

}  // namespace lockstep
