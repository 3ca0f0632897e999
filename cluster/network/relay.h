#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "cluster/descriptor.h"

namespace lockstep {

/// A token bucket: refills at `rate` a second up to `burst`, and starts full. Times are seconds of a monotonic clock.
class Allowance {
 public:
  Allowance(double rate, double burst, double now) : rate_(rate), burst_(burst), level_(burst), at_(now) {}
  /// What may be taken at time `now`.
  double at(double now) {
    level_ = std::min(burst_, level_ + rate_ * (now - at_));
    at_ = now;
    return level_;
  }
  void take(double amount) { level_ -= amount; }

 private:
  double rate_, burst_, level_, at_;
};

/// Copies bytes between two non-blocking sockets, 16 KiB at a time in each direction.
class Relay {
 public:
  Relay(Descriptor client, Descriptor server) : client_(std::move(client)), server_(std::move(server)) {}

  /// Reads at most `most` bytes from the client and passes them on; the number read.
  std::size_t up(std::size_t most);
  /// Passes on what the server has sent, as far as the client takes it.
  void down();
  /// One side is gone, and what it sent last has been passed on.
  bool over() const { return over_; }
  /// The server is done with the connection.
  void server_left() { server_left_ = true; }
  bool has_server_left() const { return server_left_; }

  bool reads_client() const { return up_.empty() && !over_; }
  bool writes_client() const { return !down_.empty() && !over_; }
  bool reads_server() const { return down_.empty() && !over_; }
  bool writes_server() const { return !up_.empty() && !over_; }
  int client() const { return client_.get(); }
  int server() const { return server_.get(); }

 private:
  struct Buffer {
    std::array<char, 16384> bytes;
    std::size_t begin = 0, end = 0;
    bool empty() const { return begin == end; }
  };
  std::size_t fill(Buffer& buffer, int from, std::size_t most);
  void drain(Buffer& buffer, int to);

  Descriptor client_, server_;
  Buffer up_, down_;
  bool over_ = false, ended_ = false, server_left_ = false;
};

}  // namespace lockstep
