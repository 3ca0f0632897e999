#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "cluster/error.h"

namespace lockstep::testing {

/// The call throws lockstep::Error and its message contains every one of `parts`.
inline void expect_error(const std::function<void()>& call, const std::vector<std::string>& parts) {
  try {
    call();
    ADD_FAILURE() << "no error; expected one with '" << (parts.empty() ? "" : parts.front()) << "'";
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is missing in: " << message;
  }
}

}  // namespace lockstep::testing
