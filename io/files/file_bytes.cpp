#include "io/files/file_bytes.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>

#include "cluster/error.h"
#include "cluster/regular_file.h"
#include "core/network/memory_need.h"
#include "io/files/durable_file.h"

namespace lockstep {
namespace {

constexpr std::size_t kTarBlock = 512;

/// A z_stream that is ended when it goes.
class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw Error("zlib cannot start");  // 16: gzip framing, checksum verified
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

template <class Use>
void for_each_piece(const std::string& path, const Use& use) {
  expect_file_or_pipe(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), [](std::FILE* f) { return std::fclose(f); });
  if (!file) throw SystemError(path, "cannot open it", errno);
  std::array<char, 1 << 16> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get())) use(std::string_view(buffer.data(), count));
  if (std::ferror(file.get()) != 0) throw SystemError(path, "cannot read it", errno);
}

std::uint64_t tar_number(std::string_view field, const std::string& name) {
  std::uint64_t value = 0;
  for (char c : field) {
    if (c == ' ' || c == '\0') continue;
    if (c < '0' || c > '7') throw Error(name + ": not a tar archive (a header holds no octal number)");
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

void check_tar_header(std::string_view header, const std::string& name) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i) sum += i >= 148 && i < 156 ? std::uint64_t{' '} : static_cast<unsigned char>(header[i]);
  if (sum != tar_number(header.substr(148, 8), name)) throw Error(name + ": damaged: checksum of a tar header is wrong");
}

}  // namespace

FileStart file_start(const std::string& path, std::size_t count) {
  expect_regular_file(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), [](std::FILE* f) { return std::fclose(f); });
  struct stat found {};
  if (!file || fstat(fileno(file.get()), &found) != 0) throw SystemError(path, "cannot open it", errno);
  FileStart start{std::string(count, '\0'), static_cast<std::uint64_t>(found.st_size)};
  start.bytes.resize(std::fread(start.bytes.data(), 1, count, file.get()));
  if (std::ferror(file.get()) != 0) throw SystemError(path, "cannot read it", errno);
  return start;
}

std::string read_file(const std::string& path) {
  std::string bytes;
  if (struct stat found{}; stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0) {
    constexpr off_t kSmall = 1 << 20;  // bytes that always have room; looking at the memory takes longer than reading them
    if (found.st_size > kSmall)
      expect_memory(static_cast<double>(found.st_size), fmt::format("{}, {} bytes,", path, found.st_size), "Is it the right file?");
    bytes.reserve(static_cast<std::size_t>(found.st_size));
  }
  for_each_piece(path, [&](std::string_view piece) { bytes.append(piece); });
  return bytes;
}

FileDigest file_digest(const std::string& path) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool right = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  FileDigest found;
  for_each_piece(path, [&](std::string_view piece) {
    right = right && EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
    found.bytes += piece.size();
  });
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (!right || EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1) throw Error("OpenSSL cannot compute a checksum");
  found.sha256 = fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + length, ""));
  return found;
}

std::string gunzip(std::string_view bytes, const std::string& name) {
  std::string out;
  std::array<char, 1 << 16> buffer{};
  while (!bytes.empty()) {  // members may follow one another
    Inflater inflater;
    z_stream& z = inflater.stream();
    int state = Z_OK;
    while (state != Z_STREAM_END) {
      const auto chunk = static_cast<uInt>(std::min<std::size_t>(bytes.size(), 1 << 30));
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      z.avail_in = chunk;
      z.next_out = reinterpret_cast<Bytef*>(buffer.data());
      z.avail_out = static_cast<uInt>(buffer.size());
      state = inflate(&z, Z_NO_FLUSH);
      bytes.remove_prefix(chunk - z.avail_in);
      if (out.size() + buffer.size() > out.capacity()) {
        const std::size_t room = std::max<std::size_t>(2 * out.capacity(), 1 << 20);
        expect_memory(static_cast<double>(room), fmt::format("{}, gzip data that unpack to more than {} bytes,", name, out.size()),
                      "Is it the right file?");
        out.reserve(room);
      }
      out.append(buffer.data(), buffer.size() - z.avail_out);
      if (state == Z_BUF_ERROR && bytes.empty()) throw Error(name + ": cut short: the gzip data end too early");
      if (state != Z_OK && state != Z_STREAM_END) {
        throw Error(fmt::format("{}: damaged gzip data after {} bytes: {}", name, out.size(), z.msg != nullptr ? z.msg : "no gzip header"));
      }
    }
  }
  return out;
}

std::string read_file_maybe_gzip(const std::string& path) {
  std::string bytes = read_file(path);
  return bytes.starts_with("\x1f\x8b") ? gunzip(bytes, path) : bytes;
}

std::string tar_member(std::string_view archive, const std::string& member, const std::string& name) {
  std::size_t at = 0;
  while (at + kTarBlock <= archive.size() && archive[at] != '\0') {
    const std::string_view header = archive.substr(at, kTarBlock);
    check_tar_header(header, name);
    const std::string_view field = header.substr(0, 100);
    const std::string_view path = field.substr(0, std::min(field.find('\0'), field.size()));
    const std::uint64_t size = tar_number(header.substr(124, 12), name);
    const char kind = header[156];
    at += kTarBlock;
    if (size > archive.size() - at) throw Error(fmt::format("{}: cut short: '{}' should have {} bytes", name, path, size));
    const bool regular = kind == '0' || kind == '\0';
    if (regular && path.substr(path.rfind('/') + 1) == member) return std::string(archive.substr(at, size));  // npos + 1 is 0
    at += (size + kTarBlock - 1) / kTarBlock * kTarBlock;
  }
  throw Error(fmt::format("{}: there is no file '{}' in this archive", name, member));
}

std::string hex_digest(Digest kind, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, kind == Digest::md5 ? EVP_md5() : EVP_sha256(), nullptr) != 1) {
    throw Error("OpenSSL cannot compute a checksum (is this machine in FIPS mode?)");
  }
  return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + length, ""));
}

}  // namespace lockstep
