#pragma once
#include <cstdint>
#include <string>

#include "io/files/file_bytes.h"
#include "io/files/work_progress.h"

namespace lockstep {

/// The bytes behind an http, https or file URL. Redirects are followed; a status of 400 or more, a transfer cut short, one that stands
/// still for 30 s and one beyond 1 GB are errors that name the URL.
std::string download(const std::string& url, const WorkProgress& progress = {});

bool is_url(const std::string& text);  ///< begins with http://, https:// or file://

/// A published file and how to tell that it is the one.
struct OfficialFile {
  std::string name;
  std::int64_t bytes = 0;  ///< 0: unknown
  Digest digest = Digest::sha256;
  std::string hex;
};

/// Throws unless `content`, which came from `origin`, is that file: says whether it is cut short or different.
void verify(const OfficialFile& file, const std::string& content, const std::string& origin);

/// The file NAME of a folder or below a base URL, verified.
std::string fetch_verified(const OfficialFile& file, const std::string& from, const WorkProgress& progress = {});

}  // namespace lockstep
