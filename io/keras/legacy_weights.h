#pragma once
#include <string>
#include <vector>

#include "io/keras/stored_weights.h"

// Weights in the legacy layout of .h5 files, which Keras 2 and 3 write: /model_weights/dense/..., or the same at the root of a file of
// weights alone. What belongs to whom is in attributes: layer_names, and weight_names of every layer.
// keras/src/legacy/saving/legacy_h5_format.py.
namespace lockstep {

/// Whether a file has this layout, not that of .weights.h5.
bool is_legacy(const Hdf5File& file);

/// A list of strings as Keras keeps it in attributes: `name`, or name0, name1, ... where it is longer than 64 KB.
std::vector<std::string> read_chunked_attribute(const Hdf5File& file, const std::string& object, const std::string& name);

/// Whether a file has as many layers with weights as these are, which may hold models.
bool legacy_layers_fit(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers);

/// Layers of the model and of the file with weights belong together in their order, as in Keras. `layers`: those of the file's model. Other
/// numbers of layers or weights are Errors.
StoredWeights find_legacy_weights(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers);

/// Writes a built model's weights below `group` ("": the root).
void write_legacy_weights(Hdf5File& file, const std::string& group, Sequential& model);
/// A whole file of weights.
std::string legacy_weights_image(Sequential& model, const std::string& name);

}  // namespace lockstep
