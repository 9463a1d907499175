// Random numbers of the programs that compare kernels: the same ones each time, on every machine.
#pragma once
#include <cstdint>
#include <cstring>

namespace {

uint64_t state = 1;

uint32_t random_bits() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 32);
}

int below(int limit) { return int(random_bits() % uint32_t(limit)); }

[[maybe_unused]] float of_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

} // namespace
