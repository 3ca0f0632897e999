#pragma once
#include <string>

namespace lockstep::testing {

struct RawReply {
  int code;  // of grpc::StatusCode
  std::string message;
  std::string bytes;
};

/// Calls any method ("/package.Service/Method") with these bytes as its one message, by plaintext, and returns the first reply's bytes.
/// `authorization` is the value of the metadata of that name; none if empty.
RawReply raw_call(const std::string& address, const std::string& method, const std::string& request, const std::string& authorization);

}  // namespace lockstep::testing
