#include "core/math/subnormals.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lockstep {
namespace {

#if defined(__x86_64__)
constexpr std::uint64_t kBits = 0x8040;  // MXCSR: flush to zero, denormals are zeros
std::uint64_t control() { return _mm_getcsr(); }
void control(std::uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kBits = 1U << 24U;  // FPCR: FZ
std::uint64_t control() {
  std::uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void control(std::uint64_t value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr std::uint64_t kBits = 0;
std::uint64_t control() { return 0; }
void control(std::uint64_t) {}
#endif

}  // namespace

NoSubnormals::NoSubnormals() : before_(control()) { control(before_ | kBits); }
NoSubnormals::~NoSubnormals() { control(before_); }

}  // namespace lockstep
