#pragma once

// One build runs at full width on every machine: a function marked so is compiled for AVX-512, AVX2 and plain x86-64, and the loader picks.
// The sanitizers instrument the loader's resolver and crash in it, so their builds have the plain version only.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(LOCKSTEP_SANITIZE)
#define LOCKSTEP_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LOCKSTEP_CLONES
#endif
