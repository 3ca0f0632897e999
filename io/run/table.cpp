#include "io/run/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>
#include <span>

#include "cluster/error.h"
#include "core/math/philox.h"
#include "io/data/data_file.h"
#include "io/hdf5/attributes.h"

namespace lockstep {
namespace {

struct Share {
  std::string name;
  double part;
};

Share parse_share(const std::string& text, const std::string& item) {
  const std::size_t equals = item.find('=');
  const std::string name = item.substr(0, equals), number = equals == std::string::npos ? "" : item.substr(equals + 1);
  double part = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), part);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size();
  const bool named = !name.empty() && name.find('/') == std::string::npos && name != ".";
  if (!whole || !named || !(part > 0 && part <= 1)) {
    throw Error(fmt::format("split '{}': expected NAME=SHARE with a share above 0 and up to 1 (train=0.6,valid=0.2,test=0.2), found '{}'",
                            text, item),
                kUsage);
  }
  return {name, part};
}

}  // namespace

std::vector<Split> deal_out(const std::string& text, std::int64_t rows) {
  std::vector<Split> splits;
  std::set<std::string> names;
  double sum = 0;
  std::int64_t dealt = 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const Share share = parse_share(text, text.substr(begin, end - begin));
    if (!names.insert(share.name).second) throw Error(fmt::format("split '{}' names '{}' twice", text, share.name), kUsage);
    sum += share.part;
    const auto border = std::min(rows, static_cast<std::int64_t>(std::llround(sum * static_cast<double>(rows))));
    splits.push_back({share.name, border - dealt});
    dealt = border;
    begin = end + 1;
  }
  if (std::abs(sum - 1) > 1e-6) throw Error(fmt::format("split '{}': the shares sum to {}, expected 1", text, sum), kUsage);
  splits.back().rows += rows - dealt;
  return splits;
}

std::vector<Split> expect_rows(std::vector<Split> splits, const std::string& text) {
  const std::int64_t rows =
      std::accumulate(splits.begin(), splits.end(), std::int64_t{0}, [](std::int64_t sum, const Split& split) { return sum + split.rows; });
  for (const Split& split : splits) {
    if (split.rows < 1) throw Error(fmt::format("split '{}': no row of {} is left for '{}'", text, rows, split.name), kUsage);
  }
  return splits;
}

std::vector<Split> parse_split(const std::string& text, std::int64_t rows) { return expect_rows(deal_out(text, rows), text); }

std::vector<std::int64_t> shuffled_rows(std::int64_t rows, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  const RandomStream stream(seed, RandomPurpose::split, 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    const PhiloxBlock words = stream.block(i, 0);
    const std::uint64_t word = (std::uint64_t{words[0]} << 32) | words[1];
    std::swap(order[i - 1], order[static_cast<std::size_t>(word % i)]);
  }
  return order;
}

void write_labels(Hdf5File& file, const std::string& dataset, const std::vector<std::int64_t>& labels) {
  const std::vector<std::int64_t> shape{static_cast<std::int64_t>(labels.size())};
  const bool small = std::all_of(labels.begin(), labels.end(), [](std::int64_t label) { return label >= 0 && label < 256; });
  if (!small) return file.write<std::int64_t>(dataset, shape, labels);
  std::vector<std::uint8_t> bytes(labels.size());
  std::transform(labels.begin(), labels.end(), bytes.begin(), [](std::int64_t label) { return static_cast<std::uint8_t>(label); });
  file.write<std::uint8_t>(dataset, shape, bytes);
}

void write_table(Hdf5File& file, const Table& table, const std::vector<Split>& splits, std::optional<std::uint64_t> seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(table.rows));
  std::iota(order.begin(), order.end(), 0);
  if (seed) order = shuffled_rows(table.rows, *seed);
  const std::size_t width = table.feature_names.size(), targets = table.target_names.size();
  const bool classes = !table.class_names.empty(), has_targets = !table.y.empty() || !table.labels.empty();
  std::size_t next = 0;
  for (const Split& split : splits) {
    std::vector<float> x, y;
    std::vector<std::int64_t> labels;
    const std::span<const float> in_order =
        std::span(table.x).subspan(next * width, seed ? 0 : static_cast<std::size_t>(split.rows) * width);
    if (seed) x.reserve(static_cast<std::size_t>(split.rows) * width);
    for (std::int64_t i = 0; i < split.rows; ++i, ++next) {
      const auto row = static_cast<std::size_t>(order.at(next));
      const auto first = table.x.begin() + static_cast<std::ptrdiff_t>(row * width);
      if (seed) x.insert(x.end(), first, first + static_cast<std::ptrdiff_t>(width));
      if (classes && has_targets) labels.push_back(table.labels[row]);
      for (std::size_t j = 0; !classes && has_targets && j < targets; ++j) y.push_back(table.y[row * targets + j]);
    }
    file.write<float>("/" + split.name + "/x", {split.rows, static_cast<std::int64_t>(width)}, seed ? std::span<const float>(x) : in_order);
    if (!has_targets) continue;
    if (classes) {
      write_labels(file, "/" + split.name + "/y", labels);
      continue;
    }
    std::vector<std::int64_t> shape{split.rows};
    if (targets > 1) shape.push_back(static_cast<std::int64_t>(targets));
    file.write<float>("/" + split.name + "/y", shape, y);
  }
  write_names(file,
              {table.class_names, table.feature_names, classes ? std::vector<std::string>{} : table.target_names, table.description, ""});
  if (seed) write_string_attribute(file, "/", "split_seed", std::to_string(*seed));
}

}  // namespace lockstep
