// What is made of a CPU's answers, with answers made up for it. Ends with 0 when all is as
// expected.
#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"
#include "kernels/cpu.h"
#include "kernels/x86_features.h"

namespace {
using namespace edge_rerank::kernels;

struct Machine {
    std::map<std::pair<unsigned, unsigned>, Registers> leaves;
    uint64_t saved;
};
Machine machine;
bool asked_for_saved = false;

Registers cpuid(unsigned leaf, unsigned subleaf) {
    const auto found = machine.leaves.find({leaf, subleaf});
    return found == machine.leaves.end() ? Registers{} : found->second;
}
uint64_t saved() {
    asked_for_saved = true;
    return machine.saved;
}

int failures = 0;
void expect(bool holds, const std::string &what) {
    if (!holds) {
        std::fprintf(stderr, "%s\n", what.c_str());
        ++failures;
    }
}

// A Sapphire Rapids under Linux, as far as the answers matter.
Machine sapphire_rapids() {
    const unsigned avx512 = 1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    return {{{{1, 0}, {0, 0, 1u << 12 | 1u << 19 | 1u << 27 | 1u << 28, 0}},
             {{7, 0}, {2, avx512, 1u << 11, 1u << 22 | 1u << 24 | 1u << 25}},
             {{7, 1}, {1u << 4, 0, 0, 0}},
             {{0x1D, 0}, {1, 0, 0, 0}},
             {{0x1D, 1}, {1024u << 16 | 8192, 8u << 16 | 64, 16, 0}}},
            0x600E7};
}

X86Features found(const Machine &one) {
    machine = one;
    return x86_features({cpuid, saved});
}

void without_tiles(const char *why, void (*change)(Machine &)) {
    Machine one = sapphire_rapids();
    change(one);
    const X86Features has = found(one);
    expect(!has.amx_int8, std::string(why) + ", and still tiles");
    expect(has.avx512_vnni && has.avx2 && has.sse41, std::string(why) + " takes more than tiles");
}

// The system allows all kernels but the fastest.
const Kernel *fastest = nullptr;
bool all_but_fastest(const Kernel &kernel) { return &kernel != fastest; }

void refused() {
    Kernel tiles{}, plain{};
    tiles.name = "tiles";
    plain.name = "plain";
    fastest = &tiles;
    const auto all = [](const Kernel &) { return true; };
    expect(&pick({&tiles, &plain}, "", all) == &tiles, "the fastest kernel is not chosen");
    expect(&pick({&tiles, &plain}, "", all_but_fastest) == &plain, "a refusal is not got over");
    try {
        pick({&tiles, &plain}, "tiles", all_but_fastest);
        expect(false, "a refused kernel is chosen by name");
    } catch (const edge_rerank::Error &error) {
        const std::string text = error.what();
        expect(text.find("'tiles' may not be used by this process") != std::string::npos &&
                   text.find("expected one of plain") != std::string::npos,
               text);
    }
}
} // namespace

int main() {
    const X86Features has = found(sapphire_rapids());
    expect(has.amx_int8 && has.avx512_vnni && has.avx_vnni && has.avx2 && has.sse41,
           "a Sapphire Rapids lacks something");
    without_tiles("no AMX-INT8", [](Machine &one) { one.leaves[{7, 0}].d &= ~(1u << 25); });
    without_tiles("no AMX-TILE", [](Machine &one) { one.leaves[{7, 0}].d &= ~(1u << 24); });
    without_tiles("tiles' shapes not saved", [](Machine &one) { one.saved &= ~(1u << 17); });
    without_tiles("tiles not saved", [](Machine &one) { one.saved &= ~(1u << 18); });
    without_tiles("hosted Windows: leaf 0x1D is there and empty", [](Machine &one) {
        one.leaves[{0x1D, 0}] = {};
        one.leaves[{0x1D, 1}] = {};
    });
    without_tiles("no leaf 0x1D", [](Machine &one) {
        one.leaves.erase({0x1D, 0});
        one.leaves.erase({0x1D, 1});
    });
    without_tiles("an empty palette", [](Machine &one) { one.leaves[{0x1D, 1}] = {}; });
    without_tiles("fewer tiles", [](Machine &one) { one.leaves[{0x1D, 1}].b = 4u << 16 | 64; });
    without_tiles("lower tiles", [](Machine &one) { one.leaves[{0x1D, 1}].c = 8; });

    Machine vector = sapphire_rapids(); // AVX-512 is off: no tiles either
    vector.saved &= ~0xE0u;
    const X86Features narrow = found(vector);
    expect(narrow.avx2 && !narrow.avx512_vnni && !narrow.amx_int8, "AVX-512 that is not saved");

    Machine old; // XGETBV would be an illegal instruction
    old.leaves[{1, 0}] = {0, 0, 1u << 19, 0};
    asked_for_saved = false;
    const X86Features little = found(old);
    expect(little.sse41 && !little.avx2 && !little.amx_int8 && !asked_for_saved, "an old CPU");

    refused();
    tiles_are_known(); // whatever they say here, they say it and go on
    request_tiles();
    return failures ? 1 : 0;
}
