// Compares the lanes of the kernel sse41 with the scalar ones, which are the reference, and those
// with the C library's fmaf(). Ends with 0 when all of it is the same.
#include <smmintrin.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "kernels/kernel.h"
#include "random_numbers.h"

#define LANES [[maybe_unused]] static inline

namespace {
namespace edge_rerank_scalar {
constexpr bool kUnsignedRows = false;
#include "kernels/lanes_scalar-inl.h"
} // namespace edge_rerank_scalar
namespace edge_rerank_sse41 {
using edge_rerank::kernels::kLanes;
#include "kernels/lanes_sse41-inl.h"
#include "kernels/double_sums-inl.h"
} // namespace edge_rerank_sse41

namespace scalar = edge_rerank_scalar;
namespace sse41 = edge_rerank_sse41;

long failures = 0;
uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}
bool same(float x, float y) { return bits_of(x) == bits_of(y) || (x != x && y != y); }

void check(bool holds, const char *what, float a, float b, float c, float found, float expected) {
    if (!holds && ++failures < 20) {
        std::fprintf(stderr, "%s: %a, %a, %a give %a; expected %a\n", what, double(a), double(b),
                     double(c), double(found), double(expected));
    }
}

// A float of few bits: sums of its products lie halfway between floats, or next to it, often.
float few_bits(int least, int most) {
    // Among them 1 + e and 1 - e, whose product is next to 1 without showing it in a double sum.
    const float ends[] = {1.0f, 1.0f + 0x1p-23f, 1.0f - 0x1p-23f, 1.0f - 0x1p-24f,
                          1.5f, 1.0f + 0x1p-12f, 1.0f - 0x1p-12f, float(1 + below(64))};
    const float x = std::ldexp(ends[below(8)], least + below(most - least + 1));
    return below(2) ? x : -x;
}
float with_exponent(int least, int most) {
    return std::ldexp(of_bits((127u << 23) | (random_bits() & 0x007fffff)),
                      least + below(most - least + 1)) *
           (below(2) ? 1.0f : -1.0f);
}

constexpr int kKinds = 8;
void make(int kind, float &a, float &b, float &c) {
    const float special[] = {0.0f,
                             -0.0f,
                             1.0f,
                             -1.0f,
                             0x1p-149f,
                             -0x1p-149f,
                             0x1p-126f,
                             0x1.fffffep-127f,
                             0x1.fffffep127f,
                             -0x1.fffffep127f,
                             INFINITY,
                             -INFINITY,
                             NAN,
                             0x1p-75f,
                             -0x1p-75f,
                             0x1p64f};
    switch (kind) {
        case 0: // any bits at all
            a = of_bits(random_bits()), b = of_bits(random_bits()), c = of_bits(random_bits());
            break;
        case 1: // the exponents that a model has
            a = with_exponent(-8, 8), b = with_exponent(-8, 8), c = with_exponent(-12, 12);
            break;
        case 2: // halfway between two floats, and just beside it
            a = few_bits(-14, 2), b = few_bits(-14, 2), c = with_exponent(-2, 12);
            break;
        case 3: a = few_bits(-20, 20), b = few_bits(-20, 20), c = few_bits(-20, 20); break;
        case 4: // results without all of their bits
            a = few_bits(-80, -70), b = below(2) ? few_bits(-80, -70) : with_exponent(-80, -60);
            c = below(2) ? with_exponent(-149, -125) : few_bits(-149, -126);
            break;
        case 5: // at the other end
            a = few_bits(50, 70), b = few_bits(50, 70), c = with_exponent(100, 127);
            break;
        case 6: // only the largest floats overflow, and only in the end
            a = few_bits(48, 52), b = few_bits(48, 52);
            c = below(2) ? 0x1.fffffep127f : with_exponent(126, 127);
            break;
        default: a = special[below(16)], b = special[below(16)], c = special[below(16)];
    }
}

void check_fused(long rounds) {
    for (long round = 0; round < rounds; ++round) {
        scalar::Floats a, b, c;
        // All lanes of a kind, or one: a doubtful lane is to be found in any company.
        const int odd = below(16);
        for (int i = 0; i < 16; ++i) {
            const bool plain = round / kKinds % 2 && i != odd;
            make(plain ? 1 : int(round % kKinds), a.v[i], b.v[i], c.v[i]);
        }
        sse41::Floats x = sse41::load(a.v), y = sse41::load(b.v), z = sse41::load(c.v);
        float found[3][16];
        sse41::store(found[0], sse41::fused(x, y, z));
        sse41::store(found[1], sse41::fused_exactly(x, y, z));
        sse41::store(found[2], sse41::fused_negative(x, y, z));
        const scalar::Floats plus = scalar::fused(a, b, c), less = scalar::fused_negative(a, b, c);
        for (int i = 0; i < 16; ++i) {
            const float p = a.v[i], q = b.v[i], r = c.v[i], expected = plus.v[i];
            check(same(expected, std::fma(p, q, r)), "scalar", p, q, r, expected,
                  std::fma(p, q, r));
            check(same(found[0][i], expected), "fused", p, q, r, found[0][i], expected);
            check(same(found[1][i], expected), "exactly", p, q, r, found[1][i], expected);
            check(same(found[2][i], less.v[i]), "negative", p, q, r, found[2][i], less.v[i]);
        }
    }
}

// Sums of products of a tile, by add_in_doubles(); gives whether that dared.
template <int rows> bool check_sums(int kind, int inputs) {
    constexpr int most = 40;
    float input[rows * most], weights[most * 16], start[rows][16];
    sse41::Floats sums[rows][1];
    float unused;
    for (int i = 0; i < most; ++i) {
        for (int r = 0; r < rows; ++r) {
            make(kind, input[r * most + i], unused, unused);
        }
        for (int lane = 0; lane < 16; ++lane) {
            make(kind, unused, weights[i * 16 + lane], unused);
        }
    }
    for (int r = 0; r < rows; ++r) {
        for (float &x : start[r]) {
            make(kind, unused, unused, x);
            x = kind == 1 && below(2) ? 0.0f : x;
        }
        sums[r][0] = sse41::load(start[r]);
    }
    const bool dared = sse41::add_in_doubles(input, most, weights, 16, 0, inputs, sums);
    for (int r = 0; r < rows; ++r) {
        float found[16];
        sse41::store(found, sums[r][0]);
        for (int lane = 0; lane < 16; ++lane) {
            float expected = start[r][lane];
            for (int i = 0; dared && i < inputs; ++i) {
                expected = scalar::fused_one(input[r * most + i], weights[i * 16 + lane], expected);
            }
            check(same(found[lane], expected), "sum", float(kind), float(inputs), start[r][lane],
                  found[lane], expected);
        }
    }
    return dared;
}

void check_tiles(int rounds) {
    int dared[kKinds] = {};
    for (int round = 0; round < rounds; ++round) {
        for (int kind = 0; kind < kKinds; ++kind) {
            const int inputs = below(2) ? 1 + below(3) : below(40);
            dared[kind] += check_sums<1>(kind, inputs) + check_sums<2>(kind, inputs) +
                           check_sums<3>(kind, inputs) + check_sums<6>(kind, inputs);
        }
    }
    for (int kind = 1; kind <= 3; ++kind) {
        check(dared[kind] > 0, "no tile of this kind was summed in double", float(kind), 0, 0, 0,
              0);
    }
    // Of these nearly all, or they would be summed the slow way in a model too.
    check(dared[1] > 3.9 * rounds, "few tiles were summed in double", float(rounds), 0, 0,
          float(dared[1]), float(4 * rounds));
}

// All bytes by all others, but columns of -128, which no model has; and the largest sums.
void check_bytes() {
    for (int row = -128; row < 128; ++row) {
        for (int column = -127; column < 128; ++column) {
            int8_t rows[64], columns[64];
            for (int i = 0; i < 64; ++i) {
                rows[i] = int8_t(i % 2 && row ? row : i % 7 ? row : -128);
                columns[i] = int8_t(i < 16 ? column : i < 32 ? 127 : i < 48 ? -127 : -column);
            }
            const scalar::Ints expected = scalar::dot(
                scalar::splat(int32_t(row)), scalar::load_quads(rows), scalar::load_quads(columns));
            const sse41::Ints found = sse41::dot(
                sse41::splat(int32_t(row)), sse41::load_quads(rows), sse41::load_quads(columns));
            check(std::memcmp(&expected, &found, sizeof found) == 0, "bytes", float(row),
                  float(column), 0, 0, 0);
        }
    }
}
} // namespace

int main() {
    check_fused(1'000'000);
    check_tiles(3'000);
    check_bytes();
    return failures ? 1 : 0;
}
