#pragma once
#include <string>

namespace lockstep {

class World;

/// Collective. Throws AgreedError on all ranks unless `own` is the same text on all of them; the message names `what`, the first rank that
/// differs and rank 0, and what each has: "the training data differs: rank 2 on h3 has ..., but rank 0 on h1 has ...".
void agree_on(const World& world, const std::string& what, const std::string& own);

}  // namespace lockstep
