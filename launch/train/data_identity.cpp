#include "launch/train/data_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cluster/world.h"

namespace lockstep {

void DataIdentity::add(const std::string& name, const Hdf5Dataset& data) {
  auto digest = std::make_unique<DataDigest>(world_, "the " + name + " data", data);
  places_[name] = data.description();
  const bool aside = data.rows() * data.row_bytes() > data.memory_budget();
  digest->start(aside);
  if (!aside) return compare(name, *digest);
  unread_.emplace_back(name, std::move(digest));
}

/// Collective.
void DataIdentity::compare() {
  for (auto& [name, digest] : unread_) compare(name, *digest);
  unread_.clear();
}

/// Collective.
void DataIdentity::compare(const std::string& name, DataDigest& digest) {
  digest.compare();
  known_[name] = digest.text();
  if (before_) world_.agree([&] { check(name); });
}

void DataIdentity::expect(Before before) {
  before_ = std::make_unique<const Before>(std::move(before));
  std::vector<std::string> untold;
  for (const auto& [name, place] : places_) {
    if (before_->texts.find(name) == before_->texts.end()) untold.push_back(name);
  }
  if (!untold.empty()) {
    const bool mixed = before_->middle && std::find(untold.begin(), untold.end(), "training") != untold.end();
    warn(fmt::format(
        "the checkpoint does not say what its {} data held: it was written by an earlier version, before they had been read once, or "
        "without them. Whether they have changed is not known{}",
        fmt::join(untold, ", "), mixed ? "; it stands in the middle of an epoch, so make sure that the training data are the same" : ""));
  }
  for (const auto& [name, text] : known_) check(name);
}

/// Not collective: the same on all ranks.
void DataIdentity::check(const std::string& name) const {
  const auto found = before_->texts.find(name);
  const std::string& now = known_.at(name);
  if (found == before_->texts.end() || found->second == now) return;
  const std::string change =
      fmt::format("the checkpoint was made with {} data of {}, but {} now holds {}", name, found->second, places_.at(name), now);
  if (name == "training" && before_->middle) {
    throw Error(change + "; it stands in the middle of an epoch, so resume with the same; between epochs this may change", kUsage);
  }
  if (name == "training" && before_->same_run) {
    throw Error(
        fmt::format("{}; --continue goes on with the same data only, so give another --run-dir (--resume {} takes other data from here on)",
                    change, before_->run_dir),
        kUsage);
  }
  warn(change);
}

void DataIdentity::warn(const std::string& text) const {
  if (world_.rank() == 0) std::fprintf(stderr, "warning: %s\n", text.c_str());
}

/// Whether other training data would be an Error of check(), and are not known yet.
bool DataIdentity::may_refuse() const {
  const auto training = [](const auto& data) { return data.first == "training"; };
  return before_ && (before_->middle || before_->same_run) && before_->texts.count("training") > 0 &&
         std::any_of(unread_.begin(), unread_.end(), training);
}

double DataIdentity::on_checkpoint(const FitState&, const CheckpointMoment&) {
  bool read = may_refuse();  // a checkpoint of other data would take the place of those that the run goes on from
  if (!read) {
    read = true;
    for (const auto& [name, digest] : unread_) read = digest->read_by_all() && read;
  }
  if (read) compare();
  return 0;
}

/// Where no epoch was trained nothing has been compared yet.
void DataIdentity::on_train_end(const FitState& state, const Logs&) {
  if (state.step == 0) compare();
}

}  // namespace lockstep
