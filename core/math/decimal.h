#pragma once

namespace lockstep {

/// 1 - x as Keras has it: from the decimal that the user wrote (0.999), not from the float nearest to it, which makes 1.3e-5 of difference
/// here.
float one_minus(float x);

}  // namespace lockstep
