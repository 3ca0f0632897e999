#include "cluster/network/relay.h"

#include <sys/socket.h>

#include <cerrno>

namespace lockstep {
namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

std::size_t Relay::fill(Buffer& buffer, int from, std::size_t most) {
  ended_ = false;
  const ssize_t count = recv(from, buffer.bytes.data(), std::min(most, buffer.bytes.size()), 0);
  if (count > 0) {
    buffer.begin = 0;
    buffer.end = static_cast<std::size_t>(count);
    return buffer.end;
  }
  if (count == 0 || !would_block(errno)) ended_ = true;
  return 0;
}

void Relay::drain(Buffer& buffer, int to) {
  while (!buffer.empty()) {
    const ssize_t count = send(to, buffer.bytes.data() + buffer.begin, buffer.end - buffer.begin, MSG_NOSIGNAL);
    if (count > 0) {
      buffer.begin += static_cast<std::size_t>(count);
    } else {
      if (count < 0 && !would_block(errno)) over_ = true;
      return;
    }
  }
}

std::size_t Relay::up(std::size_t most) {
  drain(up_, server_.get());
  if (over_ || !up_.empty() || most == 0) return 0;
  const std::size_t count = fill(up_, client_.get(), most);
  if (ended_) over_ = true;
  drain(up_, server_.get());
  return count;
}

void Relay::down() {
  for (int round = 0; round < 8 || server_left_; ++round) {  // then others have their turn
    drain(down_, client_.get());
    if (over_ || !down_.empty()) return;
    if (fill(down_, server_.get(), down_.bytes.size()) == 0) {
      if (ended_) over_ = true;
      return;
    }
  }
  drain(down_, client_.get());
}

}  // namespace lockstep
