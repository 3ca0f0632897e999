#pragma once
#include <string_view>

namespace lockstep {

/// What layers compute their products in; Keras' dtype policies of these names (keras/src/dtype_policies). Weights, sums and all
/// other layers are float32 in each. mixed_bfloat16: x, kernel and deltas are rounded to bfloat16 on their way into a product; needs
/// AVX512_BF16 on every rank. automatic: mixed_bfloat16 where every rank has it and batches are large enough to gain by it, else float32.
enum class DtypePolicy { float32, mixed_bfloat16, automatic };

/// From the values of the configuration's `mixed_precision`: "float32", "bfloat16", "auto"; anything else is an Error (kUsage) listing
/// these.
DtypePolicy mixed_precision_from_name(std::string_view name);

/// Keras' name: "float32", "mixed_bfloat16"; "auto".
std::string_view name_of(DtypePolicy policy);

}  // namespace lockstep
