#pragma once
#include <array>

#include "core/layers/layer.h"
#include "core/layers/reshaping/up_sampling.h"

namespace lockstep {

// Images (height, width, channels) that are changed at random in training, each by a function of (seed, layer, step, global row);
// otherwise the identity.

enum class FlipMode { horizontal, vertical, horizontal_and_vertical };
constexpr std::array<std::pair<std::string_view, FlipMode>, 3> choices(FlipMode) {
  return {{{"horizontal", FlipMode::horizontal},
           {"vertical", FlipMode::vertical},
           {"horizontal_and_vertical", FlipMode::horizontal_and_vertical}}};
}

/// Mirrors half of the images; in the mode of both axes an image is mirrored along both or along none, as in Keras.
/// Source: keras/src/layers/preprocessing/image_preprocessing/random_flip.py.
struct RandomFlip {
  static constexpr Kind kKind = {.class_name = "RandomFlip"};
  FlipMode mode = FlipMode::horizontal_and_vertical;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
  bool trainable = true;
};

/// What lies beyond an image a b c d: constant k k k | reflect c b a | a b c d | d c b, with the edge twice | wrap b c d | a b c d | a b c
/// | nearest a a a | a b c d | d d d.
enum class FillMode { constant, reflect, wrap, nearest };
constexpr std::array<std::pair<std::string_view, FillMode>, 4> choices(FillMode) {
  return {{{"constant", FillMode::constant}, {"reflect", FillMode::reflect}, {"wrap", FillMode::wrap}, {"nearest", FillMode::nearest}}};
}

/// Moves images down by a random part of their height and to the right by one of their width.
/// Source: keras/src/layers/preprocessing/image_preprocessing/random_translation.py.
struct RandomTranslation {
  static constexpr Kind kKind = {.class_name = "RandomTranslation"};
  Range height_factor;
  Range width_factor;
  FillMode fill_mode = FillMode::reflect;
  Interpolation interpolation = Interpolation::bilinear;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  float fill_value = 0;                    ///< of FillMode::constant
  std::string name = {};
  bool trainable = true;
};

template <Is<RandomFlip> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"mode"}, layer.mode);
  visit(Field{"seed"}, layer.seed);
  visit(Fixed{"data_format", "channels_last", false});
}
template <Is<RandomTranslation> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "height_factor", .bounds = between(-1, 1), .required = true}, layer.height_factor);
  visit(Field{.name = "width_factor", .bounds = between(-1, 1), .required = true}, layer.width_factor);
  visit(Field{"fill_mode"}, layer.fill_mode);
  visit(Field{"interpolation"}, layer.interpolation);
  visit(Field{"seed"}, layer.seed);
  visit(Field{"fill_value"}, layer.fill_value);
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const RandomFlip& layer, const LayerSite& site);
BuiltLayer build(const RandomTranslation& layer, const LayerSite& site);

}  // namespace lockstep
