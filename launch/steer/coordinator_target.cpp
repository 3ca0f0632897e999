#include "launch/steer/coordinator_target.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "cluster/error.h"
#include "launch/command_line.h"

namespace lockstep {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) throw Error(path + ": cannot be read, or empty", kUsage);
  return text;
}

std::string token(const std::string& file) {
  std::string text;
  if (!file.empty()) {
    text = read_text(file);
  } else if (const char* variable = std::getenv("LOCKSTEP_TOKEN")) {
    text = variable;
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) throw Error("the token is 64 hexadecimal digits and nothing else", kUsage);
  }
  return text;
}

// A directory of that name wins; else what ends in a colon and digits, without a slash, is an address.
bool is_address(const std::string& target) {
  std::error_code ignored;
  if (std::filesystem::is_directory(target, ignored)) return false;
  const std::size_t colon = target.rfind(':');
  if (colon == std::string::npos || target.find('/') != std::string::npos) return false;
  return target.find_first_not_of("0123456789", colon + 1) == std::string::npos;
}

}  // namespace

void CoordinatorTarget::declare(Command& command) {
  command.option("target", target, "RUN_DIR of the run, or HOST:PORT of its coordinator").required().type_name("RUN_DIR|HOST:PORT");
  command.option("--token-file", token_file, "with HOST:PORT: file with the run's token; else LOCKSTEP_TOKEN holds it").type_name("FILE");
  command.option("--certificate", certificate_file, "with HOST:PORT beyond this host: the run's certificate (PEM)").type_name("FILE");
  command.flag("--insecure", insecure, "with HOST:PORT beyond this host: no TLS, the token crosses the network in the clear");
}

/// Options that contradict each other or the target.
void CoordinatorTarget::check() const {
  if (insecure && !certificate_file.empty()) {
    throw Error("--insecure does without the certificate that --certificate gives; leave one of them out", kUsage);
  }
  if (is_address(target)) return;
  for (const auto& [option, given] :
       {std::pair{"--token-file", !token_file.empty()}, {"--certificate", !certificate_file.empty()}, {"--insecure", insecure}}) {
    if (given) {
      throw Error(std::string(option) + " goes with HOST:PORT; " + target + " is taken for a run directory, which holds what is needed",
                  kUsage);
    }
  }
}

std::optional<EndedRun> CoordinatorTarget::ended() const {
  check();
  return is_address(target) ? std::nullopt : ended_run(target);
}

CoordinatorClient CoordinatorTarget::connect() const {
  check();
  if (is_address(target)) {
    const std::string certificate = certificate_file.empty() ? "" : read_text(certificate_file);
    return CoordinatorClient::at(target, token(token_file), certificate, insecure);
  }
  CoordinatorClient client = CoordinatorClient::of_run(target);
  if (!client.warning().empty()) std::fprintf(stderr, "lockstep: warning: %s\n", client.warning().c_str());
  return client;
}

}  // namespace lockstep
