#include "launch/model/saved_model.h"

#include <fmt/format.h>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "io/data/names/names_json.h"
#include "io/files/durable_file.h"
#include "io/keras/keras_file.h"
#include "io/run/run_directory.h"

namespace lockstep {

SavedModel open_model_file(const std::string& path, bool needs_compile, bool warns) {
  StoredModel stored = open_model(path);
  if (warns) {
    for (const std::string& note : stored.notes) fmt::print(stderr, "warning: {}\n", note);
    if (const std::string& flaw = stored.compile.flaw(); !flaw.empty() && !needs_compile)
      fmt::print(stderr, "warning: {}; the model is read as one that is not compiled\n", flaw);
  }
  return {std::move(stored.model), {}, std::move(stored.compile), std::move(stored.layers)};
}

SavedModel load_saved_model(const std::string& source, const World& world, bool needs_compile) {
  std::optional<SavedModel> saved;
  world.agree([&] {
    if (!std::filesystem::is_directory(source)) {
      saved.emplace(open_model_file(source, needs_compile, world.rank() == 0));
      return;
    }
    if (is_checkpoint(source)) {
      const std::string config = source + "/config.yaml";
      saved.emplace(SavedModel{load_checkpoint_model(source)});
      if (path_exists(config)) saved->config = parse_config(read_config_file(config), config);
      return;
    }
    const RunDirectory directory = RunDirectory::open(source);
    const NewestCheckpoint newest = newest_checkpoint(source);
    if (world.rank() == 0) {
      for (const std::string& why : newest.skipped) fmt::print(stderr, "warning: skipped a checkpoint: {}\n", why);
    }
    if (!newest.found && !newest.skipped.empty())
      throw Error(source + ": every checkpoint is damaged (see the warnings above); none can be loaded");
    if (!newest.found)
      throw Error(source + " holds no checkpoint yet; wait for the end of its first epoch, or ask for one: lockstep checkpoint " + source,
                  kUsage);
    saved.emplace(SavedModel{load_checkpoint_model(newest.found->path),
                             parse_config(read_config_file(directory.config()), directory.config().string())});
  });
  DataNames names = saved->model.names();
  if (!names.empty()) names.origin = source;
  saved->model.set_names(broadcast_names(names, world));
  return std::move(*saved);
}

DataConfig choose_data(const SavedModel& saved, const std::string& file, const std::string& group) {
  DataConfig data;
  data.group = "test";
  if (saved.config)
    data = saved.config->test ? *saved.config->test : saved.config->validation ? *saved.config->validation : saved.config->train;
  if (!file.empty()) {
    data.file = file;
    data.options.rows = {};
    if (group.empty() && !saved.config) data.group = "test";
  }
  if (!group.empty()) {
    data.group = group;
    data.options.rows = {};
  }
  if (data.file.empty()) throw Error("a model file does not say which data it is for; give --data FILE.h5 (and --group)", kUsage);
  return data;
}

void print_notes(const Hdf5Dataset& data) {
  for (const std::string& note : data.notes()) fmt::print(stderr, "note: {}\n", note);
}

}  // namespace lockstep
