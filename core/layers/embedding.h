#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// Replaces each number of a row, a whole number in [0, input_dim), by that row of a table: (...) -> (..., output_dim). Such a number that
/// is outside is an Error that names layer, row and value. Source: keras/src/layers/core/embedding.py; a Sequential has no masks.
struct Embedding {
  static constexpr Kind kKind = {.class_name = "Embedding"};
  std::int64_t input_dim;   ///< rows of the table
  std::int64_t output_dim;  ///< floats of a row
  Initializer embeddings_initializer = RandomUniform{};
  Regularizer embeddings_regularizer = {};
  Regularizer activity_regularizer = {};
  Constraint embeddings_constraint = {};
  std::string name = {};
  bool trainable = true;
};

template <Is<Embedding> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "input_dim", .bounds = between(1, kMostElements), .required = true}, layer.input_dim);
  visit(Field{.name = "output_dim", .bounds = between(1, kMostElements), .required = true}, layer.output_dim);
  visit(Field{"embeddings_initializer"}, layer.embeddings_initializer);
  visit(Field{"embeddings_regularizer"}, layer.embeddings_regularizer);
  visit(Field{"activity_regularizer"}, layer.activity_regularizer);
  visit(Field{"embeddings_constraint"}, layer.embeddings_constraint);
  visit(Fixed{"mask_zero", false});
}

BuiltLayer build(const Embedding& layer, const LayerSite& site);

}  // namespace lockstep
