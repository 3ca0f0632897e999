#include "cluster/coordinator/credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "cluster/error.h"

namespace lockstep {
namespace {

template <typename T, void (*release)(T*)>
struct Release {
  void operator()(T* handle) const { release(handle); }
};
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY, EVP_PKEY_free>>;
using X509Certificate = std::unique_ptr<X509, Release<X509, X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION, X509_EXTENSION_free>>;
using Memory = std::unique_ptr<BIO, Release<BIO, BIO_free_all>>;

void check(bool ok, const char* what) {
  if (!ok) throw Error(std::string("coordinator: OpenSSL cannot ") + what);
}

std::array<unsigned char, 32> random_bytes() {
  std::array<unsigned char, 32> bytes{};
  for (std::size_t filled = 0; filled < bytes.size();) {
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got < 0 && errno != EINTR) throw Error(std::string("coordinator: no random numbers: ") + std::strerror(errno));
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  check(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add a certificate extension");
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, text.c_str(), ignored.data()) == 1 || inet_pton(AF_INET6, text.c_str(), ignored.data()) == 1;
}

// In OpenSSL's syntax. A name with a character that host names do not have is left out: it could mean something else there.
std::string alternative_names(const std::string& name, const std::vector<std::string>& others) {
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  std::string names = "DNS:" + name + ",DNS:localhost,IP:127.0.0.1,IP:::1";
  for (const std::string& other : others) {
    if (is_address(other)) {
      names += ",IP:" + other;
    } else if (!other.empty() && other.find_first_not_of(letters) == std::string::npos) {
      names += ",DNS:" + other;
    }
  }
  return names;
}

std::string text_of(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

std::string make_token() {
  constexpr char digits[] = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : random_bytes()) {
    token += digits[byte / 16];
    token += digits[byte % 16];
  }
  return token;
}

bool tokens_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Certificate make_certificate(const std::string& name, const std::vector<std::string>& others) {
  const Key key(EVP_EC_gen("P-256"));
  const X509Certificate x509(X509_new());
  check(key && x509, "make a key");
  X509* certificate = x509.get();
  constexpr long day = 24L * 60 * 60;
  X509_set_version(certificate, 2);  // version 3 counts as 2
  check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), 1) == 1, "number a certificate");
  X509_gmtime_adj(X509_getm_notBefore(certificate), -day);  // hosts whose clocks are behind accept it as well
  X509_gmtime_adj(X509_getm_notAfter(certificate), 365 * day);
  check(X509_set_pubkey(certificate, key.get()) == 1, "set the key of a certificate");
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>(name.c_str());
  check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common_name, -1, -1, 0) == 1, "name a certificate");
  check(X509_set_issuer_name(certificate, subject) == 1, "name the issuer of a certificate");
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, NID_subject_alt_name, alternative_names(name, others));
  check(X509_sign(certificate, key.get(), EVP_sha256()) > 0, "sign a certificate");

  const Memory certificate_pem(BIO_new(BIO_s_mem()));
  const Memory key_pem(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(certificate_pem.get(), certificate) == 1, "write a certificate");
  check(PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "write a key");
  return {text_of(certificate_pem), text_of(key_pem)};
}

}  // namespace lockstep
