#pragma once
#include <string>

#include "core/training/sequential.h"
#include "io/keras/stored_model.h"
#include "io/keras/weights.h"

// Model files of Keras: .keras archives of Keras 3, and .h5 files of Keras 2 and 3.
namespace lockstep {

/// Writes architecture, weights and compile options; Keras 3.0 and later opens it with keras.saving.load_model. The name ends in ".keras",
/// where the optimizer's state is kept too, or in ".h5" or ".hdf5" (legacy_file.h). Written beside and renamed: an Error leaves an older
/// file as it was. The model must be built. Call on one rank.
void save_model(Sequential& model, const std::string& path);

/// A model that Keras or save_model wrote, in any of these formats: built, with weights, and as its file says of how it was compiled.
/// Damage, and layers or arguments that Lockstep does not have, are Errors naming file and layer.
StoredModel open_model(const std::string& path);

/// The same: compiled if it was, with the optimizer's state. A compile configuration that Lockstep does not have is an Error (kUsage).
Sequential load_model(const std::string& path);

/// Puts the weights of a file, of weights alone or of a whole model of the same architecture, into a built model. The optimizer stays as it
/// is. Weights that do not fit are an Error that names them. `layers`: those of the file that the model comes from; empty: the model's own.
void load_initial_weights(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers = {});

/// Whether a path names a model file by its ending (".keras", ".h5", ".hdf5").
bool is_model_file(const std::string& path);

}  // namespace lockstep
