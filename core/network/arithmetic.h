#pragma once
#include <string_view>

namespace lockstep {

/// What computes layers, as a user asks for it. onednn: oneDNN's primitives; the same bits at any number of ranks and threads on CPUs of
/// one instruction set. portable: kernels of our own, whose sums have one order; the same bits on every x86-64 CPU, under any compiler and
/// version of oneDNN. Layers that they do not compute are an Error.
enum class Arithmetic { onednn, portable };

/// The value of the configuration's `arithmetic`; an unknown one is an Error (kUsage) that lists them.
Arithmetic arithmetic_from_name(std::string_view name);
std::string_view name_of(Arithmetic arithmetic);

}  // namespace lockstep
