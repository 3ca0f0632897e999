// The file system of the run directory: what checkpoints and logs rely on, tried for real in a folder of its own that is removed
// afterwards.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "io/files/durable_file.h"
#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kReplacements = 200;
constexpr std::size_t kBytes = 4096;
constexpr double kLate = 0.5, kNever = 3;  // seconds until another host sees a file
constexpr double kSlow = 1;                // seconds for a sync of 1 MiB

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Runs a step of the probe; why it failed is a fact. So nothing is thrown between two collectives.
template <class Step>
void attempt(Json& facts, const std::string& what, const Step& step) {
  try {
    step();
  } catch (const std::exception& error) {
    facts["failed"].push_back(what + ": " + error.what());
  }
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class LockFile {
 public:
  explicit LockFile(const fs::path& path) : id_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {}
  ~LockFile() {
    if (id_ >= 0) ::close(id_);
  }
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// 0, or the errno.
  int flock() const { return ::flock(id_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }
  int fcntl() const {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(id_, F_SETLK, &whole) == 0 ? 0 : errno;
  }

 private:
  int id_;
};

/// Rank 0's steps as a checkpoint takes them: a folder under another name, files synced, renamed, the parent synced.
void write_like_a_checkpoint(Json& facts, const fs::path& place) {
  attempt(facts, "writing and syncing a file", [&] {
    fs::create_directory(place / "partial");
    const auto start = Clock::now();
    write_synced((place / "partial/state").string(), std::string(std::size_t{1} << 20, 'x'));
    facts["sync"] = seconds_since(start);
  });
  attempt(facts, "renaming a folder", [&] {
    fs::rename(place / "partial", place / "step");
    sync_directory(place.string());
  });
  attempt(facts, "replacing a file by renaming", [&] { replace_file((place / "seen").string(), "rank 0 was here"); });
}

/// A file as replace_file leaves it must be whole whenever it is read: all of one letter, of the full length.
struct Reader {
  int missing = 0, torn = 0;

  void read_until(const fs::path& path, const std::atomic<bool>& end) {
    const auto start = Clock::now();
    for (bool last = false; !last && seconds_since(start) < kNever && !end;) {
      const std::string text = read_text(path);
      if (text.empty()) {
        ++missing;
      } else if (text.size() != kBytes || text.find_first_not_of(text.front()) != std::string::npos) {
        ++torn;
      }
      last = text.starts_with('z');
    }
  }
};

std::string letters(int turn) { return std::string(kBytes, turn + 1 == kReplacements ? 'z' : static_cast<char>('a' + turn % 20)); }

/// Rank 0 replaces a file again and again, the others and a thread of its own read it. Collective.
void probe_rename(const Examination& examination, const fs::path& place, Json& facts) {
  const fs::path path = place / "replaced";
  const bool writes = examination.world.rank() == 0;
  if (writes) attempt(facts, "replacing a file by renaming", [&] { replace_file(path.string(), letters(0)); });
  examination.world.barrier();
  Reader reader;
  std::atomic<bool> end = false;
  std::thread reading([&] { reader.read_until(path, end); });
  if (writes) {
    attempt(facts, "replacing a file by renaming", [&] {
      for (int turn = 0; turn < kReplacements; ++turn) {
        const std::string partial = path.string() + ".partial";
        std::ofstream(partial, std::ios::binary) << letters(turn);
        if (std::rename(partial.c_str(), path.c_str()) != 0) throw Error(path.string() + ": " + std::strerror(errno));
      }
    });
    end = true;
  }
  reading.join();
  facts["missing"] = reader.missing;
  facts["torn"] = reader.torn;
  examination.world.barrier();
}

/// Rank 0 locks, all others must find it locked. Collective.
void probe_locks(const Examination& examination, const fs::path& place, Json& facts) {
  const bool first = examination.world.rank() == 0;
  std::optional<LockFile> by_flock, by_fcntl;
  const auto lock = [&] {
    by_flock.emplace(place / "flock");
    by_fcntl.emplace(place / "fcntl");
    facts["flock"] = by_flock->flock();
    facts["fcntl"] = by_fcntl->fcntl();
  };
  if (first) lock();
  examination.world.barrier();
  if (!first) lock();
  examination.world.barrier();
}

void probe_sight(const fs::path& place, Json& facts) {
  const auto start = Clock::now();
  while (read_text(place / "seen") != "rank 0 was here" && seconds_since(start) < kNever)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  facts["seen"] = seconds_since(start);
}

Json probe_files(const Examination& examination) {
  Json facts{{"failed", Json::array()}};
  const World& world = examination.world;
  std::error_code ignored;
  const bool there = fs::exists(examination.run_dir, ignored);
  std::string made;
  if (world.rank() == 0) {
    attempt(facts, "making a folder in " + examination.run_dir.string(), [&] {
      fs::create_directories(examination.run_dir);
      const fs::path own = fs::absolute(examination.run_dir) / fmt::format(".doctor-{}-{}", world.hostname(), getpid());
      fs::create_directory(own);
      made = own.string();
    });
  }
  const fs::path place = world.broadcast(made);
  if (place.empty()) return facts;
  examination.trying("files: writing in " + place.string());
  if (world.rank() == 0) write_like_a_checkpoint(facts, place);
  world.barrier();
  examination.trying("files: reading in " + place.string());
  probe_sight(place, facts);
  std::int64_t blind = facts["seen"].get<double>() >= kNever ? 1 : 0;
  world.sum(std::span(&blind, 1));
  if (blind == 0) {
    examination.trying("files: renaming in " + place.string());
    probe_rename(examination, place, facts);
    examination.trying("files: locking in " + place.string());
    probe_locks(examination, place, facts);
  }
  if (world.rank() == 0) {
    fs::remove_all(place, ignored);
    if (!there) fs::remove(examination.run_dir, ignored);  // only if it is empty
  }
  return facts;
}

std::vector<int> ranks_where(const Case& facts, const std::function<bool(const Json&)>& holds) {
  std::vector<int> ranks;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    if (holds(facts.of(rank))) ranks.push_back(rank);
  }
  return ranks;
}

void judge_locks(const Case& facts, Verdict& verdict) {
  for (const char* kind : {"flock", "fcntl"}) {
    const Json& first = facts.of(0);
    if (!first.contains(kind)) continue;
    const int error = first[kind].get<int>();
    if (error != 0) {
      verdict.problem(
          {0}, fmt::format("{} fails: {}", kind, std::strerror(error)),
          "HDF5 locks the files that it opens: 'unable to lock file' ends the job.",
          "mpirun -x HDF5_USE_FILE_LOCKING=FALSE (srun: export it); or mount with locks (Lustre: -o flock; NFS: without nolock)");
      continue;
    }
    const std::vector<int> unaware = ranks_where(facts, [&](const Json& fact) { return &fact != &first && fact[kind] == 0; });
    if (unaware.empty()) continue;
    verdict.warning(unaware, fmt::format("a lock ({}) that rank 0 holds is not seen", kind),
                    "Two jobs that write into one file are not kept apart.",
                    "mount with locks that hold between hosts (Lustre: -o flock instead of localflock; NFS: without nolock or local_lock)");
  }
}

Verdict judge_files(const Case& facts) {
  const std::string place = facts.examination.run_dir.string();
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    if (facts.of(rank)["failed"].empty()) continue;
    Verdict verdict;
    for (const Json& why : facts.of(rank)["failed"]) {
      verdict.problem({rank}, why.get<std::string>(), "Checkpoints and results cannot be written.",
                      "--run-dir on a file system that this user may write to, with room and without errors (dmesg)");
    }
    return verdict;
  }
  const auto sync = facts.of(0)["sync"].get<double>();
  Verdict verdict{
      fmt::format("{}: renaming is atomic, locks hold, every rank sees it; 1 MiB is on disk after {:.0f} ms", place, sync * 1e3)};
  const auto blind = ranks_where(facts, [](const Json& fact) { return fact["seen"].get<double>() >= kNever; });
  if (!blind.empty()) {
    verdict.problem(blind, fmt::format("a file that rank 0 wrote in {} is not seen there", place),
                    "A job that starts again with another host as its first finds no checkpoint there, and begins anew.",
                    "--run-dir on a file system that all hosts mount, by a path that is the same everywhere");
    return verdict;
  }
  const auto late = ranks_where(facts, [](const Json& fact) { return fact["seen"].get<double>() >= kLate; });
  if (!late.empty()) {
    verdict.warning(late, "a file that rank 0 wrote is seen there only after half a second and more",
                    "A job that starts again at once may go on from an older checkpoint.",
                    "NFS: mount with lookupcache=positive, or actimeo=1");
  }
  const auto broken = ranks_where(facts, [](const Json& fact) { return fact["missing"].get<int>() > 0 || fact["torn"].get<int>() > 0; });
  if (!broken.empty()) {
    verdict.problem(broken,
                    fmt::format("a file that is replaced by renaming was missing {} times, in pieces {} times",
                                facts.of(broken.front())["missing"].get<int>(), facts.of(broken.front())["torn"].get<int>()),
                    "A reader, or a job that is killed at that instant, finds no checkpoint or half of one.",
                    "--run-dir on another file system (rename must be atomic)");
  }
  if (sync >= kSlow) {
    verdict.warning({0}, fmt::format("writing 1 MiB to disk takes {:.1f} s", sync),
                    "Each checkpoint takes minutes, and the last one before a time limit may not get done.",
                    "--run-dir on a faster file system; sbatch --signal=B:USR1@600 leaves more time");
  }
  judge_locks(facts, verdict);
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_files() {
  static const std::vector<Check> checks{{"files", probe_files, judge_files}};
  return checks;
}

}  // namespace lockstep
