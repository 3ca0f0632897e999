#include "launch/job/job_command.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cluster/error.h"
#include "cluster/regular_file.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

int number(const std::string& text, const std::string& of) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw Error("launch: " + of + " needs a number of at least 1, found '" + text + "'", kUsage);
  return value;
}

/// The value of an option: the rest of "--name=value", or the next word.
std::optional<std::string> value_of(const Words& words, std::size_t& i, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (words[i] == name) {
      if (i + 1 >= words.size()) throw Error("launch: " + words[i] + " needs a value", kUsage);
      return words[++i];
    }
    if (const std::string start = std::string(name) + "="; words[i].rfind(start, 0) == 0) return words[i].substr(start.size());
  }
  return std::nullopt;
}

}  // namespace

JobCommand::JobCommand(Words words) {
  const auto train = std::find(words.begin(), words.end(), "train");
  if (train == words.begin() || train == words.end()) {
    throw Error("launch: give the job's command, e.g. lockstep launch -- mpirun -np 4 lockstep train configs/fashion_mnist.yaml", kUsage);
  }
  launcher_.assign(words.begin(), train - 1);
  program_.assign(train - 1, words.end());
  read_launcher();
  read_train();
}

void JobCommand::read_launcher() {
  Words kept;
  for (std::size_t i = 0; i < launcher_.size(); ++i) {
    if (i == 0) {
      kept.push_back(launcher_[i]);
    } else if (const auto list = value_of(launcher_, i, {"--host", "-host", "-H"})) {
      std::istringstream names(*list);
      for (std::string name; std::getline(names, name, ',');) {
        const std::size_t colon = name.find(':');
        const int slots = colon == std::string::npos ? 1 : number(name.substr(colon + 1), "--host " + name);
        name = name.substr(0, colon);
        const auto known = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& host) { return host.name == name; });
        if (known != hosts_.end()) {
          known->slots += slots;
        } else {
          hosts_.push_back({name, slots});
        }
      }
    } else if (const auto file = value_of(launcher_, i, {"--hostfile", "-hostfile", "--machinefile", "-machinefile"})) {
      read_hostfile(*file);
    } else if (const auto count = value_of(launcher_, i, {"-np", "--np", "-n", "--n"})) {
      ranks_ = number(*count, "-np");
    } else {
      kept.push_back(launcher_[i]);
    }
  }
  launcher_ = std::move(kept);
}

void JobCommand::read_hostfile(const std::string& file) {
  expect_regular_file(file);
  std::ifstream lines(file);
  if (!lines) throw Error("launch: cannot read the hostfile " + file, kUsage);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    Host host;
    if (!(words >> host.name)) continue;
    for (std::string word; words >> word;) {
      if (word.rfind("slots=", 0) == 0) host.slots = number(word.substr(6), file + ": " + word);
    }
    hosts_.push_back(host);
  }
}

void JobCommand::read_train() {
  std::string resume;
  for (std::size_t i = 2; i < program_.size(); ++i) {
    if (const auto directory = value_of(program_, i, {"--run-dir"})) {
      run_dir_ = *directory;
    } else if (const auto source = value_of(program_, i, {"--resume"})) {
      resume = *source;
    }
  }
  if (!run_dir_.empty() || resume.empty()) return;
  run_dir_ = resume;
  if (!run_dir_of(resume).empty() || is_checkpoint(resume)) {
    throw Error("launch: " + resume +
                    " is a checkpoint, which every start would begin from again; give its run directory, or --run-dir DIR for a run that "
                    "goes on from it",
                kUsage);
  }
}

std::string JobCommand::name() const {
  for (std::size_t i = 2; i < program_.size(); ++i) {
    const fs::path path = program_[i];
    if (path.extension() == ".yaml" || path.extension() == ".yml") return path.stem().string();
  }
  return "run";
}

void JobCommand::go_on_in(const std::string& directory) {
  const auto has = [&](const std::string& option) {
    return std::any_of(program_.begin(), program_.end(),
                       [&](const std::string& word) { return word == option || word.rfind(option + "=", 0) == 0; });
  };
  if (has("--resume") && !has("--run-dir")) return;
  if (run_dir_.empty()) {
    run_dir_ = directory;
    program_.insert(program_.end(), {"--run-dir", directory});
  }
  if (!has("--continue")) program_.push_back("--continue");
}

std::optional<int> JobCommand::drop(const Words& dead) {
  const auto is_dead = [&](const Host& host) { return std::find(dead.begin(), dead.end(), host.name) != dead.end(); };
  hosts_.erase(std::remove_if(hosts_.begin(), hosts_.end(), is_dead), hosts_.end());
  int slots = 0;
  for (const Host& host : hosts_) slots += host.slots;
  if (ranks_ && !dead.empty()) ranks_ = std::min(*ranks_, slots);
  return ranks_ ? ranks_ : hosts_.empty() ? std::nullopt : std::optional(slots);
}

Words JobCommand::words() const {
  Words all = launcher_;
  if (!hosts_.empty()) {
    std::string list;
    for (const Host& host : hosts_) list += (list.empty() ? "" : ",") + host.name + ":" + std::to_string(host.slots);
    all.insert(all.end(), {"--host", list});
  }
  if (ranks_) all.insert(all.end(), {"-np", std::to_string(*ranks_)});
  all.insert(all.end(), program_.begin(), program_.end());
  return all;
}

Words JobCommand::version_probe() const {
  if (!hosts_.empty()) return probe(hosts_.front().name, {program_.front(), "--version"});
  Words all = launcher_;
  if (ranks_) all.insert(all.end(), {"-np", "1"});
  all.insert(all.end(), {program_.front(), "--version"});
  return all;
}

Words JobCommand::probe(const std::string& host, const Words& program) const {
  Words all = launcher_;
  all.insert(all.end(), {"--host", host, "-np", "1"});
  all.insert(all.end(), program.begin(), program.end());
  return all;
}

}  // namespace lockstep
