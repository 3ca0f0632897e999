#include "io/keras/keras_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/error.h"
#include "core/network/memory_need.h"
#include "io/data/name_list.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/hdf5/image.h"
#include "io/keras/archive.h"
#include "io/keras/legacy_file.h"
#include "io/keras/stored_weights.h"

namespace lockstep {
namespace {

bool names_legacy_file(const std::string& path) {
  return (path.ends_with(".h5") || path.ends_with(".hdf5")) && !path.ends_with(".weights.h5");
}

enum class Format { zip, hdf5 };

/// By a file's first bytes: Keras 2.12 writes HDF5 under .keras, too. Anything else is an Error, whatever its length.
Format format_of(const std::string& path, const FileStart& start) {
  if (start.bytes.starts_with("\x89HDF")) return Format::hdf5;
  if (start.bytes.starts_with("PK")) return Format::zip;
  throw Error(
      fmt::format("{}: expected a .keras file (a zip archive) or an HDF5 file (.h5), found {} bytes that begin as neither does; it may be "
                  "damaged or another file",
                  path, start.length));
}

FileStart start_of(const std::string& path) {
  constexpr std::size_t kMagic = 8;
  return file_start(path, kMagic);
}

/// Whether a file holds a model, not weights alone.
bool holds_model(const std::string& path) {
  return format_of(path, start_of(path)) == Format::zip || has_attribute(Hdf5File::open(path), "/", "model_config");
}

void expect_same_weights(const std::string& path, Sequential& from, Sequential& to) {
  const std::vector<WeightView> found = from.weights(), expected = to.weights();
  const auto text = [](const WeightView& weight) { return weight.layer + "/" + weight.name + " of shape " + to_string(weight.shape); };
  for (std::size_t i = 0; i < std::max(found.size(), expected.size()); ++i) {
    if (i < found.size() && i < expected.size() && found[i].shape == expected[i].shape) continue;
    throw Error(path + ": weight " + std::to_string(i) + ": expected " + (i < expected.size() ? text(expected[i]) : "no more weights") +
                    ", found " + (i < found.size() ? text(found[i]) : "no more weights") + "; the file belongs to another model",
                kUsage);
  }
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

/// Weights belong to columns and classes in an order.
void expect_same_order(const std::string& path, const DataNames& from, const DataNames& to) {
  const auto expect = [&](const std::string& what, const std::vector<std::string>& found, const std::vector<std::string>& expected) {
    if (found == expected || sorted(found) != sorted(expected)) return;
    throw Error(path + ": its " + what + " are " + name_list(found) + ", but " + to.origin + " has them in the order " +
                    name_list(expected) + "; train with 'model: {keras: " + path + "}', which goes by their names, or order them alike",
                kUsage);
  };
  expect("features", from.feature_names, to.feature_names);
  expect("classes", from.class_names, to.class_names);
  expect("targets", from.target_names, to.target_names);
}

}  // namespace

void load_initial_weights(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers) {
  if (!holds_model(path)) return load_weights_alone(model, path, layers.empty() ? stored_layers(model) : layers);
  StoredModel stored = open_model(path);
  expect_same_weights(path, stored.model, model);
  expect_same_order(path, stored.model.names(), model.names());
  model.set_weights(stored.model.get_weights());
}

bool is_model_file(const std::string& path) { return path.ends_with(".keras") || names_legacy_file(path); }

void save_model(Sequential& model, const std::string& path) {
  if (!is_model_file(path))
    throw Error(path + ": the name of a model file must end in .keras or .h5 (Keras tells formats by it; .weights.h5 is for weights alone)",
                kUsage);
  replace_file(path, names_legacy_file(path) ? legacy_model_image(model, path) : archive_bytes(model, path));
}

StoredModel open_model(const std::string& path) {
  constexpr double kCopies = 3;  // the file's bytes, HDF5's image of them, the weights
  const FileStart start = start_of(path);
  const Format format = format_of(path, start);
  expect_memory(kCopies * static_cast<double>(start.length), fmt::format("{}, {} bytes,", path, start.length), "Is it a Keras model file?");
  const std::string bytes = read_file(path);
  if (format == Format::zip) return read_archive(path, bytes);
  return read_legacy_model(open_hdf5_image(path, bytes));
}

Sequential load_model(const std::string& path) {
  StoredModel stored = open_model(path);
  if (const std::string& flaw = stored.compile.flaw(); !flaw.empty()) throw Error(flaw, kUsage);
  return std::move(stored.model);
}

}  // namespace lockstep
