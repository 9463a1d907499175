#include "kernels/cpu.h"

#include <cstdlib>

#include "base/error.h"
#include "kernels/x86_features.h"

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

// Those of this architecture are linked.
extern const Kernel kScalar, kSse41, kAvx2, kAvxVnni, kAvx512Vnni, kAmxInt8;
extern const Kernel kNeon, kNeonDotprod, kNeonI8mm;

namespace {
#if defined(__x86_64__) || defined(_M_X64)

Registers cpuid(unsigned leaf, unsigned subleaf) {
    Registers found;
    __get_cpuid_count(leaf, subleaf, &found.a, &found.b, &found.c, &found.d);
    return found;
}

uint64_t saved_registers() {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t(high) << 32 | low;
}

std::vector<const Kernel *> find_kernels() {
    const X86Features has = x86_features({cpuid, saved_registers});
    std::vector<const Kernel *> found;
    if (has.amx_int8 && tiles_are_known()) {
        found.push_back(&kAmxInt8);
    }
    if (has.avx512_vnni) {
        found.push_back(&kAvx512Vnni);
    }
    if (has.avx_vnni) {
        found.push_back(&kAvxVnni);
    }
    if (has.avx2) {
        found.push_back(&kAvx2);
    }
    if (has.sse41) {
        found.push_back(&kSse41);
    }
    return found;
}

// What else a process needs to run a kernel that its CPU has the instructions for.
bool allow(const Kernel &kernel) { return &kernel != &kAmxInt8 || request_tiles(); }

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

#if !(defined(__x86_64__) || defined(_M_X64))
bool allow(const Kernel &) { return true; }
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
            const std::string given = value ? value : "";
            return given == "auto" ? "" : given; // as in Python
        }();
        wanted = variable;
    }
    return pick(available(), wanted, allow);
}

const Kernel &pick(const std::vector<const Kernel *> &kernels, const std::string &wanted,
                   bool (*allowed)(const Kernel &)) {
    std::string names, problem = "does not run on this CPU";
    for (const Kernel *kernel : kernels) {
        if (wanted.empty() || wanted == kernel->name) {
            if (allowed(*kernel)) {
                return *kernel;
            }
            problem = "may not be used by this process, says the system, as where a thread's "
                      "alternate signal stack is too small for it";
            continue;
        }
        names += (names.empty() ? "" : ", ") + std::string(kernel->name);
    }
    unsupported("the kernel '" + wanted + "' " + problem + "; expected one of " + names);
}

} // namespace edge_rerank::kernels
