// Runs a fuzz target without libFuzzer, for compilers and CI that have none: every file of the corpus, every seed, then so many mutations
// of the seeds, the same ones each time. A child process takes some hundred inputs; one that dies of a signal, takes ten seconds or grows
// is a failure, told
// with the input.
//
//   NAME_fuzz [RUNS [CORPUS_DIRECTORY]]
//   NAME_fuzz --write-seeds DIRECTORY     for libFuzzer
//
// A library that crashes while it reads is told by the crash report as in every command (exit code 1 and the name of the file): counted,
// not failed.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "cluster/watchdog/crash_report.h"
#include "support/fuzz_target.h"

namespace lockstep::testing {
namespace {

constexpr std::size_t kBatch = 500;
constexpr unsigned kSeconds = 10;        // for one input
constexpr long kMostMemory = 1L << 20;   // KiB at any time
constexpr long kMostGrowth = 64L << 10;  // KiB from the first inputs of a process to its last
constexpr int kThrown = 3, kGrown = 4;   // exit codes of a child

using Random = std::mt19937_64;
using Inputs = std::vector<std::string>;

std::size_t below(Random& random, std::size_t end) { return end == 0 ? 0 : random() % end; }

void change(std::string& text, const Inputs& seeds, Random& random) {
  static constexpr std::array<std::uint64_t, 9> kNumbers{0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, ~0ULL};
  const std::size_t at = below(random, text.size());
  switch (below(random, 8)) {
    case 0: text.resize(at); break;
    case 1: text.erase(at, 1 + below(random, 16)); break;
    case 2: text.insert(at, text.substr(below(random, text.size()), 1 + below(random, 32))); break;
    case 3: {
      const std::string& other = seeds[below(random, seeds.size())];
      text = text.substr(0, at) + other.substr(below(random, other.size()));
      break;
    }
    case 4: {
      const std::uint64_t number = kNumbers[below(random, kNumbers.size())];
      const std::size_t bytes = std::size_t{1} << below(random, 4);
      if (text.size() >= at + bytes) std::memcpy(text.data() + at, &number, bytes);
      break;
    }
    default:
      if (!text.empty()) {
        text[at] = below(random, 2) == 0 ? static_cast<char>(text[at] ^ (1 << below(random, 8))) : static_cast<char>(random());
      }
  }
}

std::string mutation(const Inputs& seeds, std::size_t number) {
  Random random(number);
  std::string text = seeds[below(random, seeds.size())];
  for (std::size_t changes = 1 + below(random, 4); changes > 0; --changes) change(text, seeds, random);
  return text;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// All inputs: by number, so that a child needs no copy of them.
struct Plan {
  Inputs given, seeds;
  std::size_t runs = 0;
  std::size_t size() const { return given.size() + runs; }
  std::string input(std::size_t number) const { return number < given.size() ? given[number] : mutation(seeds, number - given.size()); }
};

long memory_now() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * (sysconf(_SC_PAGESIZE) >> 10);
}

[[noreturn]] void run_batch(const Plan& plan, std::size_t first, std::size_t last, std::atomic<std::size_t>& current) {
  report_crashes("crash report: ");
  const long before = memory_now();
  long early = before;
  for (std::size_t i = first; i < last; ++i) {
    current = i;
    const std::string input = plan.input(i);
    alarm(kSeconds);
    try {
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "threw what no reader may: %s\n", error.what());
      _exit(kThrown);
    }
    if (i == first + kBatch / 5) early = memory_now();
  }
  alarm(0);
  const long growth = memory_now() - early;
  if (early > before && growth > kMostGrowth) {
    std::fprintf(stderr, "grew by %ld KiB over the last %zu inputs\n", growth, last - first - kBatch / 5);
    _exit(kGrown);
  }
  _exit(0);
}

int replay(const std::string& name, const Plan& plan) {
  void* const shared = mmap(nullptr, sizeof(std::atomic<std::size_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return EXIT_FAILURE;
  auto& current = *new (shared) std::atomic<std::size_t>;
  std::size_t told = 0, failed = 0;
  long most = 0;
  for (std::size_t first = 0; first < plan.size();) {
    const std::size_t last = std::min(first + kBatch, plan.size());
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) return EXIT_FAILURE;
    if (child == 0) run_batch(plan, first, last, current);
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    most = std::max(most, usage.ru_maxrss);
    first = last;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && usage.ru_maxrss < kMostMemory) continue;
    const std::size_t culprit = current;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kFailed) {
      ++told;
      first = culprit + 1;
      continue;
    }
    ++failed;
    const std::string file = name + "-failed-" + std::to_string(culprit);
    std::ofstream(file, std::ios::binary) << plan.input(culprit);
    std::fprintf(stderr, "%s: input %zu, kept as %s: ", name.c_str(), culprit, file.c_str());
    if (WIFSIGNALED(status)) std::fprintf(stderr, "%s\n", WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
    if (WIFEXITED(status)) std::fprintf(stderr, "exit code %d, at most %ld KiB\n", WEXITSTATUS(status), usage.ru_maxrss);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == kThrown) first = culprit + 1;
  }
  std::printf("%s: %zu inputs, %zu failures, %zu crashes of a library that were told, at most %ld MiB\n", name.c_str(), plan.size(), failed,
              told, most >> 10);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace lockstep::testing

int main(int argc, char** argv) {
  using namespace lockstep::testing;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Plan plan;
  plan.seeds = fuzz_seeds();
  if (arguments.size() == 2 && arguments[0] == "--write-seeds") {
    for (std::size_t i = 0; i < plan.seeds.size(); ++i) {
      std::ofstream(arguments[1] + "/seed-" + std::to_string(i), std::ios::binary) << plan.seeds[i];
    }
    return EXIT_SUCCESS;
  }
  plan.given = plan.seeds;
  if (arguments.size() > 1 && std::filesystem::is_directory(arguments[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) plan.given.push_back(bytes_of(entry.path()));
  }
  plan.runs = arguments.empty() ? 300 : std::strtoul(arguments[0].c_str(), nullptr, 10);
  return replay(std::filesystem::path(argv[0]).filename().string(), plan);
}
