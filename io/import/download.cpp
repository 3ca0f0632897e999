#include "io/import/download.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr curl_off_t kMostBytes = 1'000'000'000;
constexpr long kConnectSeconds = 20, kStallSeconds = 30;

struct Transfer {
  std::string bytes;
  const WorkProgress* progress;
};

extern "C" std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  try {
    if (transfer->bytes.size() + size * count > static_cast<std::size_t>(kMostBytes)) return 0;
    transfer->bytes.append(data, size * count);
    return size * count;
  } catch (...) {
    return 0;
  }
}

extern "C" int report(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  const auto* transfer = static_cast<Transfer*>(user);
  try {
    if (total > 0 && *transfer->progress) (*transfer->progress)(static_cast<double>(now) / static_cast<double>(total));
    return 0;
  } catch (...) {
    return 1;
  }
}

void start_curl_once() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw Error(std::string("libcurl cannot start: ") + curl_easy_strerror(started));
}

}  // namespace

std::string download(const std::string& url, const WorkProgress& progress) {
  start_curl_once();
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) throw Error("libcurl cannot start");
  Transfer transfer{{}, &progress};
  std::array<char, CURL_ERROR_SIZE> message{};
  CURL* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message.data());
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");  // a server may not name local files
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, kMostBytes);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "lockstep");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, report);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode result = curl_easy_perform(curl);
  if (result != CURLE_OK) {
    throw Error(fmt::format("{}: cannot download it: {}", url, message[0] != '\0' ? message.data() : curl_easy_strerror(result)));
  }
  if (progress) progress(1);
  return std::move(transfer.bytes);
}

bool is_url(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("file://"); }

void verify(const OfficialFile& file, const std::string& content, const std::string& origin) {
  const auto found_bytes = static_cast<std::int64_t>(content.size());
  if (file.bytes > 0 && found_bytes < file.bytes) {
    throw Error(fmt::format("{}: cut short: {} of {} bytes; fetch it again", origin, found_bytes, file.bytes));
  }
  const std::string found = hex_digest(file.digest, content);
  if (found == file.hex) return;
  throw Error(fmt::format(
      "{}: not the official {}: its {} is {}, expected {}; the file is damaged or another version ('lockstep data import' takes any file)",
      origin, file.name, file.digest == Digest::md5 ? "md5" : "sha256", found, file.hex));
}

std::string fetch_verified(const OfficialFile& file, const std::string& from, const WorkProgress& progress) {
  const std::string separator = from.ends_with('/') ? "" : "/";
  const std::string origin = from + separator + file.name;
  if (!is_url(from) && !std::filesystem::is_directory(from)) {
    throw Error(fmt::format("{}: no such directory; expected one that holds {}, or a URL (http://, https://, file://)", from, file.name),
                kUsage);
  }
  std::string content = is_url(from) ? download(origin, progress) : read_file(origin);
  verify(file, content, origin);
  return content;
}

}  // namespace lockstep
