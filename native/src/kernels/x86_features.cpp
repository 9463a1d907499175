#include "kernels/x86_features.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

namespace edge_rerank::kernels {

namespace {
bool all(uint64_t value, uint64_t bits) { return (value & bits) == bits; }

// Palette 1 of leaf 0x1D: eight tiles of sixteen rows of 64 bytes. There are virtual machines that
// announce AMX in leaf 7, have an empty leaf 0x1D, and fault at the first tile.
bool has_palette(const X86Answers &answers) {
    const Registers palette = answers.cpuid(0x1D, 1);
    const unsigned tile_bytes = palette.a >> 16, row_bytes = palette.b & 0xFFFF;
    const unsigned tiles = palette.b >> 16, rows = palette.c & 0xFFFF;
    return answers.cpuid(0x1D, 0).a >= 1 && tile_bytes == 1024 && row_bytes == 64 && tiles >= 8 &&
           rows == 16;
}
} // namespace

X86Features x86_features(const X86Answers &answers) {
    const Registers basic = answers.cpuid(1, 0), more = answers.cpuid(7, 0);
    constexpr unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, sse41 = 1u << 19;
    constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW, VL
    constexpr unsigned amx = 1u << 24 | 1u << 25;                          // TILE, INT8
    constexpr uint64_t tile_registers = 1u << 17 | 1u << 18; // their shape and what they hold
    const uint64_t saved = all(basic.c, osxsave | avx) ? answers.saved() : 0;
    X86Features found;
    found.sse41 = all(basic.c, sse41);
    found.avx2 = all(saved, 0x6) && all(basic.c, fma) && all(more.b, 1u << 5);
    found.avx_vnni = found.avx2 && all(answers.cpuid(7, 1).a, 1u << 4);
    found.avx512_vnni =
        found.avx2 && all(saved, 0xE6) && all(more.b, avx512) && all(more.c, 1u << 11);
    found.amx_int8 =
        found.avx512_vnni && all(more.d, amx) && all(saved, tile_registers) && has_palette(answers);
    return found;
}

#if defined(__linux__) && defined(__x86_64__)

namespace {
constexpr int kSupported = 0x1021, kRequest = 0x1023; // ARCH_GET_XCOMP_SUPP, ARCH_REQ_XCOMP_PERM
constexpr unsigned long kTileData = 18;               // the bit of XCR0
} // namespace

// Linux 5.16 and later; before, the call is an error.
bool tiles_are_known() {
    uint64_t supported = 0;
    return syscall(SYS_arch_prctl, kSupported, &supported) == 0 && (supported >> kTileData & 1);
}

bool request_tiles() { return syscall(SYS_arch_prctl, kRequest, kTileData) == 0; }

#elif defined(_WIN32) && (defined(__x86_64__) || defined(_M_X64))

namespace {
using Enable = BOOL(WINAPI *)(DWORD64 features);

// Windows 11 and Server 2022 have it.
Enable enabler() {
    const HMODULE library = GetModuleHandleW(L"kernel32.dll");
    return library ? reinterpret_cast<Enable>(reinterpret_cast<void *>(
                         GetProcAddress(library, "EnableProcessOptionalXStateFeatures")))
                   : nullptr;
}
} // namespace

bool tiles_are_known() { return enabler() != nullptr; }

bool request_tiles() {
    const Enable enable = enabler();
    return enable && enable(DWORD64(1) << 18); // the bit of XCR0 for what tiles hold
}

#else

bool tiles_are_known() { return false; }
bool request_tiles() { return false; }

#endif

} // namespace edge_rerank::kernels
