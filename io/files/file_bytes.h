#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// The whole file as bytes. One that memory has no room for is an Error before anything of it is read.
std::string read_file(const std::string& path);

/// The first `count` bytes of a regular file, fewer of a shorter one; and its length.
struct FileStart {
  std::string bytes;
  std::uint64_t length = 0;
};
FileStart file_start(const std::string& path, std::size_t count);

/// Inflates gzip data (one or more members). Throws naming `name` if it is damaged, cut short or followed by anything else, or if memory
/// has no room for what it unpacks to.
std::string gunzip(std::string_view bytes, const std::string& name);

/// read_file, inflated if the content is gzip, whatever the name.
std::string read_file_maybe_gzip(const std::string& path);

/// Content of the regular file whose last path component is `member`, from a tar archive (ustar, GNU or pax headers).
std::string tar_member(std::string_view archive, const std::string& member, const std::string& name);

enum class Digest { md5, sha256 };
std::string hex_digest(Digest kind, std::string_view bytes);

/// Number of bytes and SHA-256 of a file, which is read a piece at a time.
struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;
};
FileDigest file_digest(const std::string& path);

}  // namespace lockstep
