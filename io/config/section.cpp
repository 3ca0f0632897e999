#include "io/config/section.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

namespace lockstep {
namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "nothing";
  return "'" + node.Scalar() + "'";
}

}  // namespace

std::string config_place(const std::string& file, const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? file + " (--set): " : file + ":" + std::to_string(mark.line + 1) + ": ";
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best;
}

ConfigSection::ConfigSection(YAML::Node node, std::string file, std::string path)
    : node_(std::move(node)), file_(std::move(file)), path_(std::move(path)) {
  if (node_.IsMap()) return;
  const std::string what = path_.empty() ? "the configuration" : "'" + path_ + "'";
  throw Error(config_place(file_, node_) + what + " must be a mapping (key: value), found " + kind_of(node_), kUsage);
}

void ConfigSection::fail(const YAML::Node& at, const std::string& key, const std::string& what) const {
  throw Error(config_place(file_, at) + "'" + path_of(key) + "' " + what, kUsage);
}

std::optional<YAML::Node> ConfigSection::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  const YAML::Node value = static_cast<const YAML::Node&>(node_)[key];
  if (!value.IsDefined() || value.IsNull()) return {};
  return value;
}

YAML::Node ConfigSection::need(const std::string& key) {
  if (const auto value = find(key)) return *value;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar() || nearest(entry.first.Scalar(), {key}).empty()) continue;
    if (entry.first.Scalar() != key) fail(entry.first, entry.first.Scalar(), "is no known key; did you mean '" + key + "'?");
  }
  fail(node_, key, "is missing");
}

ConfigSection ConfigSection::section(const std::string& key) {
  const auto value = find(key);
  return {value ? *value : YAML::Node(YAML::NodeType::Map), file_, path_of(key)};
}

std::string ConfigSection::as_text(const YAML::Node& node, const std::string& key) const {
  if (!node.IsScalar()) fail(node, key, "must be a text, found " + kind_of(node));
  return node.Scalar();
}

std::int64_t ConfigSection::as_integer(const YAML::Node& node, const std::string& key) const {
  std::int64_t value = 0;
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    fail(node, key, "must be a whole number, found " + kind_of(node));
  return value;
}

double ConfigSection::as_number(const YAML::Node& node, const std::string& key) const {
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  const std::size_t slash = text.find('/');
  if (const auto value = parse_number(text)) return *value;
  const auto above = parse_number(text.substr(0, slash)),
             below = slash == std::string::npos ? std::nullopt : parse_number(text.substr(slash + 1));
  if (!above || !below || *below == 0) fail(node, key, "must be a number (0.5, 1e-3, 1/255), found " + kind_of(node));
  return *above / *below;
}

float ConfigSection::as_single(const YAML::Node& node, const std::string& key) const {
  const double value = as_number(node, key);
  if (std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
    fail(node, key, "must be a number of float32, between -3.4e38 and 3.4e38, found " + kind_of(node));
  }
  return static_cast<float>(value);
}

std::int64_t ConfigSection::as_bytes(const YAML::Node& node, const std::string& key) const {
  const std::string text = as_text(node, key);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "KiB" || unit == "K") shift = 10;
  if (unit == "MiB" || unit == "M") shift = 20;
  if (unit == "GiB" || unit == "G") shift = 30;
  if (error != std::errc() || shift < 0 || value < 1 || value > (INT64_MAX >> shift)) {
    fail(node, key, "must be a size such as 512MiB, 2GiB or 1000000, found " + kind_of(node));
  }
  return value << shift;
}

std::string ConfigSection::text(const std::string& key, const std::string& otherwise) {
  const auto value = find(key);
  return value ? as_text(*value, key) : otherwise;
}

bool ConfigSection::as_flag(const YAML::Node& node, const std::string& key) const {
  bool result = false;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, result)) fail(node, key, "must be true or false, found " + kind_of(node));
  return result;
}

bool ConfigSection::flag(const std::string& key, bool otherwise) {
  const auto value = find(key);
  return value ? as_flag(*value, key) : otherwise;
}

std::int64_t ConfigSection::integer(const std::string& key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  const auto value = find(key);
  if (!value) return otherwise;
  const std::int64_t result = as_integer(*value, key);
  if (result < least) fail(*value, key, "must be at least " + std::to_string(least) + ", found " + std::to_string(result));
  if (result > most) fail(*value, key, "must be at most " + std::to_string(most) + ", found " + std::to_string(result));
  return result;
}

double ConfigSection::number(const std::string& key, double otherwise) {
  const auto value = find(key);
  return value ? as_number(*value, key) : otherwise;
}

float ConfigSection::single(const std::string& key, float otherwise) {
  const auto value = find(key);
  return value ? as_single(*value, key) : otherwise;
}

void ConfigSection::finish() const {
  std::vector<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar())
      throw Error(config_place(file_, entry.first) + "a key must be a text, found " + kind_of(entry.first), kUsage);
    const std::string key = entry.first.Scalar();
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) fail(entry.first, key, "stands there twice");
    seen.push_back(key);
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    std::string all;
    for (const std::string& known : known_) all += (all.empty() ? "" : ", ") + known;
    fail(entry.first, key, near.empty() ? "is no known key; there are: " + all : "is no known key; did you mean '" + near + "'?");
  }
}

}  // namespace lockstep
