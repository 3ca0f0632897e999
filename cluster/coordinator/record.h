#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

/// RUN_DIR/coordinator.json: how clients reach the coordinator of a run. When the run has ended it holds no address and no token, but
/// when and why.
struct CoordinatorRecord {
  std::string address;              ///< HOST:PORT or unix:PATH for clients on `host`
  std::vector<std::string> remote;  ///< HOST:PORT for clients on other hosts; empty: not reachable from there
  std::string certificate;          ///< PEM; what to trust at `remote`; empty: no TLS there
  std::string token;
  std::int64_t pid = 0;  ///< of rank 0
  std::string host;      ///< of rank 0
  double started = 0;    ///< seconds since 1970

  bool ended = false;
  double finished = 0;  ///< seconds since 1970
  std::string phase;    ///< "finished" or "failed"
  std::string reason;
};

/// Written beside and renamed; only its owner can read it (mode 0600) from the first instant on.
void write_record(const std::filesystem::path& run_dir, const CoordinatorRecord& record);

/// An Error tells apart: no such directory, no record in it, a record that cannot be read or understood.
CoordinatorRecord read_record(const std::filesystem::path& run_dir);

/// "" or a warning that others may read or write the record.
std::string record_permission_warning(const std::filesystem::path& run_dir);

}  // namespace lockstep
