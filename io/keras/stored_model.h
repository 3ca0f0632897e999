#pragma once
#include <string>
#include <vector>

#include "core/training/sequential.h"

namespace lockstep {

/// A layer of the model in a file, or a model within it, whose layers Lockstep puts in its place.
struct StoredLayer {
  std::string class_name;
  std::string name;                      ///< of a layer: its name in the Sequential
  std::vector<StoredLayer> layers = {};  ///< of a model
};

/// How a file says that its model was compiled. A part that Lockstep does not have leaves its default in `options`, and a whole message in
/// its flaw.
struct CompileConfig {
  bool given = false;
  CompileOptions options = {};
  std::string optimizer_flaw = {}, loss_flaw = {}, metrics_flaw = {};

  /// The first flaw; empty: none.
  const std::string& flaw() const { return !optimizer_flaw.empty() ? optimizer_flaw : !loss_flaw.empty() ? loss_flaw : metrics_flaw; }
};

/// A model as a file describes it.
struct StoredModel {
  Sequential model;                      ///< built if the file says for what shape; compiled if it says how and there is no flaw
  std::vector<StoredLayer> layers = {};  ///< of the file's model, Input left out
  CompileConfig compile = {};
  std::vector<std::string> notes = {};  ///< whole messages: what is computed otherwise than in Keras
};

}  // namespace lockstep
