#include "kernels/cpu.h"

#include <cstdlib>

#include "base/error.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

namespace edge_rerank::kernels {

extern const Kernel kScalar, kSse41, kAvx2, kAvxVnni, kAvx512Vnni; // those of this architecture
extern const Kernel kNeon, kNeonDotprod, kNeonI8mm;                // are linked

namespace {
#if defined(__x86_64__) || defined(_M_X64)

struct Registers { unsigned a = 0, b = 0, c = 0, d = 0; };

Registers cpuid(unsigned leaf, unsigned subleaf) {
    Registers found;
    __get_cpuid_count(leaf, subleaf, &found.a, &found.b, &found.c, &found.d);
    return found;
}

// Which registers the system saves when it switches threads (XCR0).
unsigned saved_registers() {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool all(unsigned value, unsigned bits) { return (value & bits) == bits; }

std::vector<const Kernel *> find_kernels() {
    std::vector<const Kernel *> found;
    const Registers basic = cpuid(1, 0), more = cpuid(7, 0), further = cpuid(7, 1);
    constexpr unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, sse41 = 1u << 19;
    const unsigned saved = all(basic.c, osxsave | avx) ? saved_registers() : 0;
    const bool avx2 = all(saved, 0x6) && all(basic.c, fma) && all(more.b, 1u << 5);
    constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW, VL
    if (avx2 && all(saved, 0xE6) && all(more.b, avx512) && all(more.c, 1u << 11)) {
        found.push_back(&kAvx512Vnni);
    }
    if (avx2 && all(further.a, 1u << 4)) {
        found.push_back(&kAvxVnni);
    }
    if (avx2) {
        found.push_back(&kAvx2);
    }
    if (all(basic.c, sse41)) {
        found.push_back(&kSse41);
    }
    return found;
}

#elif defined(__aarch64__)

struct Features { bool dotprod = false, i8mm = false; };

Features features() {
#if defined(__linux__)
    // HWCAP_ASIMDDP and HWCAP2_I8MM, as the kernel's interface numbers them.
    return {(getauxval(AT_HWCAP) >> 20 & 1) != 0, (getauxval(26 /* AT_HWCAP2 */) >> 13 & 1) != 0};
#elif defined(__APPLE__)
    const auto has = [](const char *name) {
        int value = 0;
        size_t size = sizeof value;
        return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
    };
    return {has("hw.optional.arm.FEAT_DotProd"), has("hw.optional.arm.FEAT_I8MM")};
#elif defined(_WIN32)
    return {IsProcessorFeaturePresent(43 /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE */) != 0, false};
#else
    return {};
#endif
}

std::vector<const Kernel *> find_kernels() {
    const Features has = features();
    std::vector<const Kernel *> found;
    if (has.dotprod && has.i8mm) {
        found.push_back(&kNeonI8mm);
    }
    if (has.dotprod) {
        found.push_back(&kNeonDotprod);
    }
    found.push_back(&kNeon);
    return found;
}

#else

std::vector<const Kernel *> find_kernels() { return {}; }

#endif
} // namespace

const std::vector<const Kernel *> &available() {
    static const std::vector<const Kernel *> found = [] {
        std::vector<const Kernel *> all = find_kernels();
        all.push_back(&kScalar);
        return all;
    }();
    return found;
}

const Kernel &choose(const char *name) {
    std::string wanted = name ? name : "";
    if (wanted.empty()) {
        // Read once: a host that sets variables while another thread reads them may crash.
        static const std::string variable = [] {
            const char *value = std::getenv("EDGE_RERANK_KERNEL");
            return std::string(value ? value : "");
        }();
        wanted = variable;
    }
    std::string names;
    for (const Kernel *kernel : available()) {
        if (wanted.empty() || wanted == kernel->name) {
            return *kernel;
        }
        names += (names.empty() ? "" : ", ") + std::string(kernel->name);
    }
    unsupported("the kernel '" + wanted + "' does not run on this CPU; expected one of " + names);
}

} // namespace edge_rerank::kernels
