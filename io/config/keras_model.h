#pragma once
#include "core/training/sequential.h"
#include "io/config/config.h"
#include "io/keras/stored_model.h"

namespace lockstep {

/// A built model of the same layers with the seed of a run, and with its dtype policy if the configuration sets one; the weights are
/// initial.
Sequential remade(const Sequential& model, const RunConfig& config);

/// The model of the configuration's Keras file, made anew with the run's seed and settings, with the file's weights, layers and notes.
StoredModel open_keras_model(const RunConfig& config);

}  // namespace lockstep
