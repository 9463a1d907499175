// What an x86 processor can do, as far as kernels want to know, and what the system lets it do.
#pragma once

#include <cstdint>

namespace edge_rerank::kernels {

struct Registers { unsigned a = 0, b = 0, c = 0, d = 0; };

// Whom to ask: the processor, or a test in its place.
struct X86Answers {
    Registers (*cpuid)(unsigned leaf, unsigned subleaf); // zeros for a leaf that there is not
    uint64_t (*saved)(); // which registers the system saves when it switches threads (XCR0)
};

struct X86Features {
    bool sse41 = false, avx2 = false, avx_vnni = false, avx512_vnni = false;
    bool amx_int8 = false; // with avx512_vnni
};

X86Features x86_features(const X86Answers &answers);

// Whether the system may let a process use matrix tiles; changes nothing.
bool tiles_are_known();

// Asks it to, for this process and for good; true where tiles may be used from now on. It refuses,
// for one thing, where a thread's alternate signal stack has no room for them.
bool request_tiles();

} // namespace edge_rerank::kernels
