#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"

namespace lockstep {

// Losses: one value per row, then a sum over the global batch, weighted and divided as the Reduction says. Dice and Tversky over a batch
// have one value for all its rows. Source: keras/src/losses/losses.py. y: truth, p: the model's output; K = width of the output.

/// -log softmax(logits)[label], label an integer class index 0..K-1 (y one number per row).
struct SparseCategoricalCrossentropy {
  static constexpr Kind kKind = {.class_name = "SparseCategoricalCrossentropy", .name = "sparse_categorical_crossentropy"};
  bool from_logits = false;
  std::optional<std::int64_t> ignore_class = {};  ///< rows of this label are left out, of the mean as well
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
/// mean_k of (1 - p_t)^gamma times the binary crossentropy, p_t = y' p + (1 - y') (1 - p).
struct BinaryFocalCrossentropy {
  static constexpr Kind kKind = {.class_name = "BinaryFocalCrossentropy", .name = "binary_focal_crossentropy"};
  bool apply_class_balancing = false;  ///< times y' alpha + (1 - y') (1 - alpha)
  float alpha = 0.25F;
  float gamma = 2;
  bool from_logits = false;
  float label_smoothing = 0;
};
/// -sum_k alpha_k (1 - p_k)^gamma y'_k log p_k
struct CategoricalFocalCrossentropy {
  static constexpr Kind kKind = {.class_name = "CategoricalFocalCrossentropy", .name = "categorical_focal_crossentropy"};
  Numbers alpha = 0.25F;  ///< one number, or one for each class
  float gamma = 2;
  bool from_logits = false;
  float label_smoothing = 0;
};
/// (1 - p[label]^q) / q, label an integer class index.
struct CategoricalGeneralizedCrossEntropy {
  static constexpr Kind kKind = {.class_name = "CategoricalGeneralizedCrossEntropy", .name = "categorical_generalized_cross_entropy"};
  float q = 0.5F;
};
/// sum_k y log(y / p), both held in [1e-7, 1]
struct KLDivergence {
  static constexpr Kind kKind = {.class_name = "KLDivergence", .name = "kl_divergence", .short_name = "kld"};
};
/// mean_k of p - y log(p + 1e-7)
struct Poisson {
  static constexpr Kind kKind = {.class_name = "Poisson", .name = "poisson"};
};
/// mean_k (y - p)^2
struct MeanSquaredError {
  static constexpr Kind kKind = {.class_name = "MeanSquaredError", .name = "mean_squared_error", .short_name = "mse"};
};
/// mean_k |y - p|
struct MeanAbsoluteError {
  static constexpr Kind kKind = {.class_name = "MeanAbsoluteError", .name = "mean_absolute_error", .short_name = "mae"};
};
/// 100 mean_k |y - p| / max(|y|, 1e-7)
struct MeanAbsolutePercentageError {
  static constexpr Kind kKind = {
      .class_name = "MeanAbsolutePercentageError", .name = "mean_absolute_percentage_error", .short_name = "mape"};
};
/// mean_k of (log(max(p, 1e-7) + 1) - log(max(y, 1e-7) + 1))^2
struct MeanSquaredLogarithmicError {
  static constexpr Kind kKind = {
      .class_name = "MeanSquaredLogarithmicError", .name = "mean_squared_logarithmic_error", .short_name = "msle"};
};
/// -cos of the angle between y and p
struct CosineSimilarity {
  static constexpr Kind kKind = {.class_name = "CosineSimilarity", .name = "cosine_similarity"};
};
/// mean_k of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2
struct Huber {
  static constexpr Kind kKind = {.class_name = "Huber", .name = "huber"};
  float delta = 1;
};
/// mean_k of log cosh(p - y)
struct LogCosh {
  static constexpr Kind kKind = {.class_name = "LogCosh", .name = "log_cosh"};
};
/// mean_k of max(1 - y p, 0) with y -1 or 1; the 0 of a row of 0 and 1 counts as -1.
struct Hinge {
  static constexpr Kind kKind = {.class_name = "Hinge", .name = "hinge"};
};
/// The same squared.
struct SquaredHinge {
  static constexpr Kind kKind = {.class_name = "SquaredHinge", .name = "squared_hinge"};
};
/// max(max_k (1 - y) p - sum_k y p + 1, 0), y one-hot
struct CategoricalHinge {
  static constexpr Kind kKind = {.class_name = "CategoricalHinge", .name = "categorical_hinge"};
};
/// 1 - 2 sum y p / (sum y + sum p). The sums go over all numbers of the batch, or with axis -1 over those of each row.
struct Dice {
  static constexpr Kind kKind = {.class_name = "Dice", .name = "dice"};
  std::vector<std::int64_t> axis = {};  ///< {}: Keras' None; {-1} or {1}
};
/// 1 - I / (I + alpha sum y (1 - p) + beta sum (1 - y) p), I = sum y p; sums as of Dice.
struct Tversky {
  static constexpr Kind kKind = {.class_name = "Tversky", .name = "tversky"};
  float alpha = 0.5F, beta = 0.5F;
  std::vector<std::int64_t> axis = {};
};

using LossSpec = std::variant<SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy, BinaryFocalCrossentropy,
                              CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, KLDivergence, Poisson, MeanSquaredError,
                              MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, CosineSimilarity, Huber, LogCosh,
                              Hinge, SquaredHinge, CategoricalHinge, Dice, Tversky>;

/// How the values of a batch's rows become its loss. Keras' `none` has no loss to go down.
enum class Reduction { sum_over_batch_size, sum, mean_with_sample_weight };
constexpr std::array<std::pair<std::string_view, Reduction>, 4> choices(Reduction) {
  return {{{"sum_over_batch_size", Reduction::sum_over_batch_size},  // of weight times value, over the number of rows
           {"mean", Reduction::sum_over_batch_size},
           {"sum", Reduction::sum},
           {"mean_with_sample_weight", Reduction::mean_with_sample_weight}}};  // over the sum of weights
}

template <Is<SparseCategoricalCrossentropy> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"from_logits"}, loss.from_logits);
  visit(Field{"ignore_class"}, loss.ignore_class);
}
template <class S, class Visit>
requires Is<S, CategoricalCrossentropy> || Is<S, BinaryCrossentropy>
void fields(S& loss, Visit&& visit) {
  visit(Field{"from_logits"}, loss.from_logits);
  visit(Field{"label_smoothing", between(0, 1)}, loss.label_smoothing);
}
template <Is<BinaryFocalCrossentropy> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"apply_class_balancing"}, loss.apply_class_balancing);
  visit(Field{"alpha", between(0, 1)}, loss.alpha);
  visit(Field{"gamma", at_least(0)}, loss.gamma);
  visit(Field{"from_logits"}, loss.from_logits);
  visit(Field{"label_smoothing", between(0, 1)}, loss.label_smoothing);
}
template <Is<CategoricalFocalCrossentropy> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"alpha", at_least(0)}, loss.alpha);
  visit(Field{"gamma", at_least(0)}, loss.gamma);
  visit(Field{"from_logits"}, loss.from_logits);
  visit(Field{"label_smoothing", between(0, 1)}, loss.label_smoothing);
}
template <Is<CategoricalGeneralizedCrossEntropy> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"q", Bounds{.least = 0, .most = 1, .above = true, .below = true}}, loss.q);
}
template <Is<Huber> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"delta", above(0)}, loss.delta);
}
template <Is<Dice> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{.name = "axis", .null_if_zero = true, .bare_if_one = true}, loss.axis);
}
template <Is<Tversky> S, class Visit>
void fields(S& loss, Visit&& visit) {
  visit(Field{"alpha", at_least(0)}, loss.alpha);
  visit(Field{"beta", at_least(0)}, loss.beta);
  visit(Field{.name = "axis", .null_if_zero = true, .bare_if_one = true}, loss.axis);
}

/// "sparse_categorical_crossentropy", "mse", ... as Keras' strings; an unknown name, or one of Keras that Lockstep does not have, is an
/// Error (kUsage) that lists the known ones.
LossSpec loss_from_name(std::string_view name);
/// Keras' snake_case name of the loss.
std::string name_of(const LossSpec& loss);

/// What some losses need to know of all rows of the global batch.
struct LossBatch {
  enum Sum { kWeights, kCounting, kCountingWeights, kProducts, kTruths, kOutputs, kSums };
  double rows = 0;
  /// Weights of all rows; rows that are not of an ignore_class, and their weights; sums of y p, y and p.
  std::array<double, kSums> sums = {};
};

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
/// Whether the loss is meant for the probabilities of a softmax, or of a sigmoid, or for the logits before it.
bool wants_softmax(const LossSpec& loss);
bool wants_sigmoid(const LossSpec& loss);
/// Whether the loss says that its input is logits; nothing if it cannot.
std::optional<bool> from_logits(const LossSpec& loss);
/// Whether each row is of a class: the index or the largest number of its truth.
bool has_classes(const LossSpec& loss);
/// Whether truth is one class index per row.
bool takes_labels(const LossSpec& loss);
/// Whether a label is the loss's ignore_class.
bool is_ignored(const LossSpec& loss, float label);

/// Values and gradient of a block of rows, of a loss that is not over_batch(). `fused`: input holds the logits of the last layer's softmax
/// or sigmoid. A label outside 0..K-1 or not an integer is a TruthError (truth_error.h); other truth is taken as it is (truth_flaw). Rows
/// of weight 0, and of an ignore_class, get value and delta 0 whatever they hold. The other forms take probabilities as Keras does:
/// normalised to sum 1 (categorical), clipped to [1e-7, 1 - 1e-7], no gradient where clipped.
void loss_rows(const LossSpec& loss, bool fused, const LossRows& rows);

/// Whether the loss is one value for all rows of a batch.
bool over_batch(const LossSpec& loss);
/// The same of such a loss: all rows that are `present` get its value, times the weight that the reduction gives it, and its gradient.
void batch_loss_rows(const LossSpec& loss, Reduction reduction, const LossBatch& batch, const float* present, const LossRows& rows);

/// Whether a batch has to be summed up (add_to_batch) before its loss can be computed.
bool needs_batch(const LossSpec& loss, Reduction reduction);
/// Adds a block of rows to the batch's sums.
void add_to_batch(const LossSpec& loss, const float* present, const LossRows& rows, std::span<double, LossBatch::kSums> sums);
/// What a row's weight times value counts in the loss of its batch.
double row_scale(const LossSpec& loss, Reduction reduction, const LossBatch& batch);

/// What is wrong with a row's truth: a label outside 0..K-1, with `classes` = K, or not an integer; truth of a binary_crossentropy outside
/// [0, 1]; NaN or inf. Empty: nothing.
std::string truth_flaw(const LossSpec& loss, std::span<const float> truth, std::int64_t classes);
/// The class of a row's truth: the label, or the largest element of a one-hot row.
std::int64_t class_of(std::span<const float> truth);

/// Checks the loss's own numbers and that truth of this width fits an output of this width; else an Error (kUsage) saying what is expected.
void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width);
/// A reduction that the loss cannot have is an Error (kUsage).
void check_reduction(const LossSpec& loss, Reduction reduction);

}  // namespace lockstep
