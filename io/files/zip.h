#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Reads members of a zip archive in memory, stored or deflated; their checksums are verified.
class ZipReader {
 public:
  struct Member {
    std::string name;
    std::uint64_t stored_bytes, bytes;  ///< in the archive, and unpacked, as the archive says
  };

  /// `bytes` must outlive the reader; `path` is for messages. An Error if it is no zip archive: "PATH: expected WHAT (a zip archive) ...".
  ZipReader(std::string path, std::string_view bytes, const std::string& what);
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;
  ~ZipReader();

  std::vector<Member> members() const;
  /// A member unpacked. An Error if it is damaged, or, with the remedy, if `copies` times its bytes are more than there is memory.
  std::string read(const Member& member, double copies, const std::string& remedy) const;

 private:
  struct Handles;
  std::string path_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace lockstep
