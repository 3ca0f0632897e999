#pragma once
#include <string>
#include <string_view>

// Files that are on disk, whole, when the call returns. Errors name the path and the system's reason.
namespace lockstep {

/// Creates (or empties) the file, writes the bytes and syncs them to disk. The name itself is durable after sync_directory.
void write_synced(const std::string& path, std::string_view bytes);
/// Makes names created in, renamed into and removed from a directory durable.
void sync_directory(const std::string& path);
/// Puts the bytes under `path` in one instant: written beside it (PATH.partial-PID), synced, renamed. On an error the old file stays.
void replace_file(const std::string& path, std::string_view bytes);

}  // namespace lockstep
