#pragma once
#include <cstddef>
#include <string>

struct gzFile_s;

namespace lockstep {

/// The bytes of a file from its beginning to its end, inflated if it is gzip, whatever its name. Needs no memory for the whole of it.
class ByteStream {
 public:
  explicit ByteStream(std::string path);
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  ~ByteStream();

  /// Appends the next `count` bytes, fewer at the end; returns how many. Errors name the file.
  std::size_t read(std::string& to, std::size_t count);

 private:
  void expect_good() const;
  std::string path_;
  gzFile_s* file_;
};

}  // namespace lockstep
