#include "io/data/names/names_json.h"

#include "cluster/error.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

constexpr const char* kReading = "csv_import";

}  // namespace

Json names_json(const DataNames& names) {
  Json json;
  const auto add = [&](const char* key, const std::vector<std::string>& list) {
    if (!list.empty()) json[key] = list;
  };
  add("class_names", names.class_names);
  add("feature_names", names.feature_names);
  add("target_names", names.target_names);
  if (Json reading = Json::parse_or_null(names.reading); !reading.is_null()) json[kReading] = std::move(reading);
  return json;
}

DataNames names_from_json(const Json& json, const std::string& origin) {
  DataNames names;
  try {
    if (json.is_null()) return names;
    names.class_names = json.value("class_names", names.class_names);
    names.feature_names = json.value("feature_names", names.feature_names);
    names.target_names = json.value("target_names", names.target_names);
    if (const Json& reading = json[kReading]; !reading.is_null()) names.reading = reading.dump();
    if (!json.is_object()) throw JsonError("it is no object");
  } catch (const JsonError& error) {
    throw Error(origin + ": the names of classes and columns are damaged: " + error.what());
  }
  names.origin = origin;
  return names;
}

DataNames names_of_config(std::string_view config, const std::string& origin) {
  return names_from_json(Json::parse_or_null(config)[kNamesKey], origin);
}

DataNames broadcast_names(const DataNames& names, const World& world) {
  if (world.size() == 1) return names;
  const std::string origin = world.broadcast(names.origin), text = world.broadcast(names_json(names).dump());
  DataNames common = names_from_json(Json::parse(text), origin);
  if (common.empty()) common.origin.clear();
  return common;
}

}  // namespace lockstep
