#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// 32 random bytes in hexadecimal.
std::string make_token();

/// Takes the same time wherever the two differ.
bool tokens_equal(std::string_view a, std::string_view b);

/// PEM texts.
struct Certificate {
  std::string certificate;
  std::string key;
};

/// A new key (EC P-256) with a certificate signed by itself, good for a year. It is made out to `name`, to the host names and numeric
/// addresses `others`, and to this host's loopback.
Certificate make_certificate(const std::string& name, const std::vector<std::string>& others = {});

/// The name in every run's certificate. Our clients check it instead of a host name: the certificate itself is what they trust.
inline constexpr const char* kCertificateName = "lockstep";

}  // namespace lockstep
