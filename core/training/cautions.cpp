// Sequential::cautions: what a compiled model most likely does not mean.
#include <fmt/format.h>

#include "core/training/model_state.h"
#include "core/training/sequential.h"

namespace lockstep {
namespace {

/// For the losses that want the probabilities of `function`, or the logits before it.
std::string caution(const Network& network, const LossSpec& loss, ActivationFunction function) {
  const ActivationFunction last = network.output_activation();
  const std::string what = fmt::format("the loss {} and layer '{}' at the end", name_of(loss), network.layer_of(network.ops().size() - 1));
  if (from_logits(loss).value_or(false)) {
    return last == function ? fmt::format("{}: from_logits: true expects logits, but they went through {}; take one of the two off", what,
                                          name_of(function))
                            : "";
  }
  if (last == softmax || last == sigmoid) return "";
  return fmt::format("{}: the loss expects probabilities, but the last activation is {}; take {}{}", what, name_of(last), name_of(function),
                     from_logits(loss) ? ", or from_logits: true" : "");
}

}  // namespace

std::vector<std::string> Sequential::cautions() const {
  const Network& network = state_->built();
  const LossSpec& loss = compile_options().loss;
  std::vector<std::string> found;
  const auto add = [&](std::string text) {
    if (!text.empty()) found.push_back(std::move(text));
  };
  if (network.ops().empty()) return found;
  if (wants_softmax(loss)) add(caution(network, loss, softmax));
  if (wants_sigmoid(loss)) add(caution(network, loss, sigmoid));
  if (network.ends_in(softmax) && network.ops().back()->activation_width() == 1) {
    add(fmt::format(
        "layer '{}': softmax over one unit is always 1, so nothing is learnt; for two classes take sigmoid and binary_crossentropy",
        network.layer_of(network.ops().size() - 1)));
  }
  return found;
}

}  // namespace lockstep
