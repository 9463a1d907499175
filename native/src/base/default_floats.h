// The floating-point environment that scores are computed in, whoever calls.
#pragma once

#include <cstdint>

namespace edge_rerank {

// Sets the default for the calling thread, and what was there before in the end, raised flags
// included. A host may round in another direction, and libraries linked with -ffast-math turn
// denormal numbers off for whoever loads them: either changes logits, and weights derived at open.
// (The x87 unit's settings are left alone: nothing here computes with it.)
class DefaultFloats {
  public:
    DefaultFloats() : before_(read()) { write(kDefault); }
    ~DefaultFloats() { write(before_); }
    DefaultFloats(const DefaultFloats &) = delete;
    DefaultFloats &operator=(const DefaultFloats &) = delete;

  private:
#if defined(__x86_64__) || defined(_M_X64)
    using Registers = uint32_t;                   // MXCSR
    static constexpr Registers kDefault = 0x1F80; // to nearest, denormals kept, no traps
    static Registers read() { return __builtin_ia32_stmxcsr(); }
    static void write(Registers value) { __builtin_ia32_ldmxcsr(value); }
#elif defined(__aarch64__)
    struct Registers { uint64_t control, flags; }; // FPCR, FPSR
    static constexpr Registers kDefault{0, 0};
    static Registers read() {
        Registers found;
        __asm__ volatile("mrs %0, fpcr" : "=r"(found.control)::"memory");
        __asm__ volatile("mrs %0, fpsr" : "=r"(found.flags)::"memory");
        return found;
    }
    static void write(const Registers &value) {
        __asm__ volatile("msr fpcr, %0" ::"r"(value.control) : "memory");
        __asm__ volatile("msr fpsr, %0" ::"r"(value.flags) : "memory");
    }
#endif
    const Registers before_;
};

} // namespace edge_rerank
