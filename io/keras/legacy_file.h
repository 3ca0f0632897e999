#pragma once
#include <string>

#include "io/keras/stored_model.h"

// Whole models in one .h5 file, as Keras 2 and 3 write them. keras/src/legacy/saving/legacy_h5_format.py.
namespace lockstep {

class Hdf5File;

/// The model of such a file: with weights, and with the optimizer's state if it is compiled. Damage is an Error that names the file.
StoredModel read_legacy_model(const Hdf5File& file);

/// The bytes of such a file: architecture, weights and compile options. The optimizer's state is left out: Keras 3 reads it into an
/// optimizer without slots, which then cannot train. A setting that Keras' reader of this format loses is an Error (kUsage).
std::string legacy_model_image(Sequential& model, const std::string& name);

}  // namespace lockstep
