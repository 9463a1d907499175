#include "engine/rotary.h"

#include <cmath>
#include <cstddef>

namespace edge_rerank::engine {

namespace {
struct Turn { double cosine, sine; };

// pi / 2 in two parts: the first has 33 bits, so that a whole number below 2^20 times it is exact.
constexpr double kQuarter = 0x1.921fb544p+0, kQuarterRest = 0x1.0b4611a626331p-34;
constexpr double kPerQuarter = 0x1.45f306dc9c883p-1; // 2 / pi

// Taylor's series within an eighth of a turn: what is left out is below 1e-13 of the result.
Turn turn_by(double angle) {
    const double quarters = std::floor(angle * kPerQuarter + 0.5);
    const double x = (angle - quarters * kQuarter) - quarters * kQuarterRest, y = x * x;
    double sine = -1.0 / 39916800, cosine = 1.0 / 479001600;
    for (const double factor : {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1.0}) {
        sine = sine * y + factor;
    }
    for (const double factor : {-1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1.0}) {
        cosine = cosine * y + factor;
    }
    sine *= x;
    switch (int(quarters) & 3) {
        case 0: return {cosine, sine};
        case 1: return {-sine, cosine};
        case 2: return {-cosine, -sine};
        default: return {sine, -cosine};
    }
}
} // namespace

Rotary rotary_tables(const float *frequencies, int half, int positions, Memory &memory) {
    const size_t count = size_t(positions) * size_t(half);
    float *cosines = memory.take<float>(count), *sines = memory.take<float>(count);
    size_t at = 0;
    for (int position = 0; position < positions; ++position) {
        for (int i = 0; i < half; ++i, ++at) {
            // Rounded to a float, as models are trained with it.
            const float angle = float(position) * frequencies[i];
            const Turn turn = turn_by(double(angle));
            cosines[at] = float(turn.cosine);
            sines[at] = float(turn.sine);
        }
    }
    return {cosines, sines};
}

} // namespace edge_rerank::engine
