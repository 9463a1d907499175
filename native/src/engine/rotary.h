// Rotary positions (Su et al., 2021): the angle of each position and pair of inputs of a head.
#pragma once

#include "base/memory.h"

namespace edge_rerank::engine {

// Cosines and sines: a row of half a head for each position; null where there are none.
struct Rotary { const float *cosines = nullptr, *sines = nullptr; };

// The tables for `frequencies`, in radians a token, of `half` pairs and `positions`
// positions. The same bits on every platform, which the C library's functions would not give.
Rotary rotary_tables(const float *frequencies, int half, int positions, Memory &memory);

} // namespace edge_rerank::engine
