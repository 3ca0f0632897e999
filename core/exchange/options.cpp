#include "core/exchange/options.h"

#include <string>

#include "cluster/error.h"

namespace lockstep {

ExchangeKind exchange_from_name(std::string_view name) {
  if (name == "auto") return ExchangeKind::automatic;
  if (name == "factors") return ExchangeKind::factors;
  if (name == "gradients") return ExchangeKind::gradients;
  throw Error("unknown exchange '" + std::string(name) + "'; there are: auto, factors, gradients", kUsage);
}

ExchangeProgress progress_from_name(std::string_view name) {
  if (name == "auto") return ExchangeProgress::automatic;
  if (name == "thread") return ExchangeProgress::thread;
  if (name == "poll") return ExchangeProgress::poll;
  if (name == "none") return ExchangeProgress::none;
  throw Error("unknown progress '" + std::string(name) + "'; there are: auto, thread, poll, none", kUsage);
}

}  // namespace lockstep
