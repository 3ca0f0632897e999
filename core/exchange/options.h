#pragma once
#include <string_view>

#include "cluster/collectives/allreduce.h"

namespace lockstep {

/// What ranks exchange. `automatic`: factors on one host and, between hosts, where they are the smaller message; else gradients. An
/// allreduce that is forced implies gradients.
enum class ExchangeKind { automatic, factors, gradients };

/// From "auto", "factors", "gradients"; anything else is an Error (kUsage) that lists these.
ExchangeKind exchange_from_name(std::string_view name);

/// How sums of gradients overlap with backward: a thread of their own, polling between buckets, or no overlap, which sums all at once at
/// the end. Only sums by messages (ring, halving-doubling, recursive-doubling) can overlap. `automatic`: between hosts `thread` where a
/// core is spare, else `poll`; on one host `none`. thread and poll give the same bits; none cuts the sums otherwise, which a ring shows in
/// the last bits.
enum class ExchangeProgress { automatic, thread, poll, none };

/// From "auto", "thread", "poll", "none"; anything else is an Error (kUsage) that lists these.
ExchangeProgress progress_from_name(std::string_view name);

/// What a user asks of the exchange, as in FitOptions.
struct ExchangeOptions {
  ExchangeKind exchange = ExchangeKind::automatic;
  AllreduceAlgorithm allreduce = AllreduceAlgorithm::automatic;
  bool reproducible = false;
};

}  // namespace lockstep
