#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/error.h"

namespace lockstep {

/// One mapping of a YAML configuration, read strictly: every key is asked for once by its reader, and finish() refuses the keys that nobody
/// asked for, with the nearest known one. All errors (kUsage) name file, line and key.
class ConfigSection {
 public:
  /// `path`: where it stands, "training.optimizer"; "" for the whole file. A node that is no mapping is an Error.
  ConfigSection(YAML::Node node, std::string file, std::string path);

  /// The value of a key, or nothing if it is missing or null.
  std::optional<YAML::Node> find(const std::string& key);
  YAML::Node need(const std::string& key);
  /// A mapping under a key; an empty one if it is missing.
  ConfigSection section(const std::string& key);

  std::string text(const std::string& key, const std::string& otherwise);
  bool flag(const std::string& key, bool otherwise);
  /// In [least, most].
  std::int64_t integer(const std::string& key, std::int64_t otherwise, std::int64_t least, std::int64_t most = INT64_MAX);
  /// A finite number; also a fraction "1/255".
  double number(const std::string& key, double otherwise);
  /// The same as the float32 that it is kept as: beyond that type's range it would be infinite.
  float single(const std::string& key, float otherwise);

  std::string as_text(const YAML::Node& node, const std::string& key) const;
  bool as_flag(const YAML::Node& node, const std::string& key) const;
  std::int64_t as_integer(const YAML::Node& node, const std::string& key) const;
  double as_number(const YAML::Node& node, const std::string& key) const;
  float as_single(const YAML::Node& node, const std::string& key) const;
  /// Bytes: 2GiB, 512MiB, 1000000.
  std::int64_t as_bytes(const YAML::Node& node, const std::string& key) const;

  /// To be called after all keys have been asked for.
  void finish() const;
  [[noreturn]] void fail(const YAML::Node& at, const std::string& key, const std::string& what) const;

  const std::string& file() const { return file_; }
  const YAML::Node& node() const { return node_; }
  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

 private:
  YAML::Node node_;
  std::string file_, path_;
  std::vector<std::string> known_;
};

/// "file:12: " of a node, or "file (--set): " for one that was not in the file.
std::string config_place(const std::string& file, const YAML::Node& node);

/// The candidate with the smallest edit distance to `word`; empty if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace lockstep
