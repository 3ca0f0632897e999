#include "io/keras/keras_file.h"

#include <algorithm>

#include "cluster/error.h"
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

bool is_hdf5(const std::string& bytes) { return bytes.starts_with("\x89HDF"); }

/// Whether a file holds a model, not weights alone.
bool holds_model(const std::string& path, const std::string& bytes) {
  return !is_hdf5(bytes) || has_attribute(open_hdf5_image(path, bytes), "/", "model_config");
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

}  // namespace

void load_initial_weights(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers) {
  if (!holds_model(path, read_file(path))) return load_weights_alone(model, path, layers.empty() ? stored_layers(model) : layers);
  StoredModel stored = open_model(path);
  expect_same_weights(path, stored.model, model);
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
  const std::string bytes = read_file(path);
  if (!is_hdf5(bytes)) return read_archive(path, bytes);  // Keras 2.12 writes HDF5 under .keras, too
  return read_legacy_model(open_hdf5_image(path, bytes));
}

Sequential load_model(const std::string& path) {
  StoredModel stored = open_model(path);
  if (const std::string& flaw = stored.compile.flaw(); !flaw.empty()) throw Error(flaw, kUsage);
  return std::move(stored.model);
}

}  // namespace lockstep
