#pragma once
#include <string>
#include <string_view>

#include "cluster/json.h"
#include "core/data/names.h"

// The names that belong to a model, as JSON. config.json of model files and checkpoints has them under a key that Keras passes over, and so
// has result.json.
namespace lockstep {

class World;

inline constexpr const char* kNamesKey = "lockstep";  ///< of the root of config.json

/// {"class_names", "feature_names", "target_names", "csv_import"}, without what is unknown. Null where nothing is named.
Json names_json(const DataNames& names);
/// An Error that names `origin` where the JSON is anything else. Null names nothing.
DataNames names_from_json(const Json& json, const std::string& origin);
/// The names in the text of a config.json; `origin` is for messages.
DataNames names_of_config(std::string_view config, const std::string& origin);

/// Rank 0's names on every rank, so that all take one order of columns and classes even where they see different files. Collective.
DataNames broadcast_names(const DataNames& names, const World& world);

}  // namespace lockstep
