#include "io/files/byte_stream.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "cluster/regular_file.h"
#include "io/files/durable_file.h"

namespace lockstep {

ByteStream::ByteStream(std::string path) : path_(std::move(path)), file_(nullptr) {
  expect_file_or_pipe(path_);
  errno = 0;
  file_ = gzopen(path_.c_str(), "rbe");
  if (file_ == nullptr) throw SystemError(path_, "cannot open it", errno == 0 ? ENOMEM : errno);
  gzbuffer(file_, 1 << 18);
}

ByteStream::~ByteStream() { gzclose_r(file_); }

void ByteStream::expect_good() const {
  int state = Z_OK;
  const char* const what = gzerror(file_, &state);
  if (state == Z_OK || state == Z_STREAM_END) return;
  if (state == Z_ERRNO) throw SystemError(path_, "cannot read it", errno);
  if (state == Z_BUF_ERROR) throw Error(path_ + ": cut short: the gzip data end too early");
  throw Error(path_ + ": damaged gzip data: " + what);
}

std::size_t ByteStream::read(std::string& to, std::size_t count) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::size_t done = 0;
  while (done < count) {
    const std::size_t before = to.size(), piece = std::min(count - done, kPiece);
    to.resize(before + piece);
    const int some = gzread(file_, to.data() + before, static_cast<unsigned>(piece));
    to.resize(before + static_cast<std::size_t>(std::max(some, 0)));
    if (some < static_cast<int>(piece)) expect_good();
    if (some <= 0) break;
    done += static_cast<std::size_t>(some);
  }
  return done;
}

}  // namespace lockstep
