#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/compile/kinds.h"

namespace lockstep {

// Losses: one value per row, then the weighted sum over the global batch divided by the number of its rows ("sum_over_batch_size").
// Source: keras/src/losses/losses.py. y: truth, p: the model's output; K = width of the output.

/// -log softmax(logits)[label], label an integer class index 0..K-1 (y one number per row).
struct SparseCategoricalCrossentropy {
  static constexpr Kind kKind = {.class_name = "SparseCategoricalCrossentropy", .name = "sparse_categorical_crossentropy"};
  bool from_logits = false;
};
/// -sum_k y'_k log p_k with y' = y (1 - label_smoothing) + label_smoothing / K.
struct CategoricalCrossentropy {
  static constexpr Kind kKind = {.class_name = "CategoricalCrossentropy", .name = "categorical_crossentropy"};
  bool from_logits = false;
  float label_smoothing = 0;
};
/// mean_k of -(y' log p + (1 - y') log(1 - p)) with y' = y (1 - label_smoothing) + label_smoothing / 2.
struct BinaryCrossentropy {
  static constexpr Kind kKind = {.class_name = "BinaryCrossentropy", .name = "binary_crossentropy", .short_name = "bce"};
  bool from_logits = false;
  float label_smoothing = 0;
};
/// mean_k (y - p)^2
struct MeanSquaredError {
  static constexpr Kind kKind = {.class_name = "MeanSquaredError", .name = "mean_squared_error", .short_name = "mse"};
};
/// mean_k |y - p|
struct MeanAbsoluteError {
  static constexpr Kind kKind = {.class_name = "MeanAbsoluteError", .name = "mean_absolute_error", .short_name = "mae"};
};
/// mean_k of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2
struct Huber {
  static constexpr Kind kKind = {.class_name = "Huber", .name = "huber"};
  float delta = 1;
};

using LossSpec =
    std::variant<SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy, MeanSquaredError, MeanAbsoluteError, Huber>;

template <Is<SparseCategoricalCrossentropy> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"from_logits"}, loss.from_logits);
}
template <class S, class Visit>
requires Is<S, CategoricalCrossentropy> || Is<S, BinaryCrossentropy>
void fields(S& loss, Visit&& visit) {
  visit(Field{"from_logits"}, loss.from_logits);
  visit(Field{"label_smoothing", between(0, 1)}, loss.label_smoothing);
}
template <Is<Huber> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"delta", above(0)}, loss.delta);
}

/// "sparse_categorical_crossentropy", "mse", ... as Keras' strings; an unknown name is an Error (kUsage) that lists the known ones.
LossSpec loss_from_name(std::string_view name);
/// Keras' snake_case name of the loss.
std::string name_of(const LossSpec& loss);

/// What the loss kernel is given and fills for a block of rows. All matrices row-major.
struct LossRows {
  const float* truth;   ///< (rows, truth_width)
  const float* weight;  ///< (rows): sample weight times class weight; 0 for rows that only pad
  const float* input;   ///< (rows, width): the output p, or the logits where `fused` or from_logits
  float* output;        ///< (rows, width): fused losses write the probabilities here, for the metrics; may be `input`; else not touched
  float* delta;         ///< (rows, width): dL/dinput of sum(weight * value) * scale; null: values only
  double* value;        ///< (rows): unweighted value of each row
  std::int64_t rows = 0, width = 0, truth_width = 0;
  float scale = 1;  ///< 1 / rows of the global batch
};

/// True where the last activation and the loss are computed as one from the logits (softmax with a categorical loss, sigmoid with
/// binary_crossentropy), exact for saturated outputs as in Keras on TensorFlow.
bool fuses_softmax(const LossSpec& loss);
bool fuses_sigmoid(const LossSpec& loss);
/// Whether the loss says that its input is logits.
bool from_logits(const LossSpec& loss);

/// Values and gradient of a block of rows. `fused`: input holds the logits of the last layer's softmax or sigmoid.
/// A label outside 0..K-1 or not an integer is a TruthError (truth_error.h); other truth is taken as it is (truth_flaw). Rows of weight 0
/// get value and delta 0 whatever they hold. The other forms take probabilities as Keras does: normalised to sum 1 (categorical), clipped
/// to [1e-7, 1 - 1e-7], no gradient where clipped.
void loss_rows(const LossSpec& loss, bool fused, const LossRows& rows);

/// What is wrong with a row's truth: a label outside 0..K-1, with `classes` = K, or not an integer; truth of a binary_crossentropy outside
/// [0, 1]; NaN or inf. Empty: nothing.
std::string truth_flaw(const LossSpec& loss, std::span<const float> truth, std::int64_t classes);
/// The class of a row's truth: the label, or the largest element of a one-hot row.
std::int64_t class_of(std::span<const float> truth);

/// Checks the loss's own numbers and that truth of this width fits an output of this width; else an Error (kUsage) saying what is expected.
void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width);

}  // namespace lockstep
