// Compares every operation on lanes of one kernel with the scalar kernel's, and these with plain
// C++. Compiled once for each kernel: KERNEL_SOURCE is its file, KERNEL its namespace. Ends with 0
// when all results are the same bits.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "random_numbers.h"

#include "kernels/scalar.cpp"
#undef LANES
#include KERNEL_SOURCE

namespace {
namespace scalar = edge_rerank::kernels::scalar;
namespace theirs = edge_rerank::kernels::KERNEL;

long failures = 0;

// Any float: with the exponents that a model has, of any bits, or special.
float any() {
    static const float special[] = {0.0f,      -0.0f,           1.0f,      -1.0f,     0.5f,
                                    2.5f,      -3.5f,           0x1p-149f, 0x1p-126f, INFINITY,
                                    -INFINITY, 0x1.fffffep127f, NAN,       0x1p23f,   8388607.5f};
    switch (below(4)) {
        case 0: return of_bits(random_bits());
        case 1: return special[below(15)];
        default: {
            const float size = of_bits((127u << 23) | (random_bits() & 0x007fffff));
            return std::ldexp(below(2) ? size : -size, below(24) - 12);
        }
    }
}
// One that is no NaN, no infinity and not below zero alone in its sign.
float number(float limit) {
    float x = any();
    while (!(std::fabs(x) <= limit) || x == 0.0f) {
        x = any();
    }
    return x;
}

struct Row { float v[16]; };

template <typename Make> Row row(Make make) {
    Row result;
    for (float &x : result.v) {
        x = make();
    }
    return result;
}
Row stored(scalar::Floats x) {
    Row result;
    scalar::store(result.v, x);
    return result;
}
Row stored(theirs::Floats x) {
    Row result;
    theirs::store(result.v, x);
    return result;
}
bool same(float x, float y) { return !std::memcmp(&x, &y, 4) || (x != x && y != y); }

void expect(const char *what, const Row &found, const Row &expected) {
    for (int i = 0; i < 16; ++i) {
        if (!same(found.v[i], expected.v[i]) && ++failures < 20) {
            std::fprintf(stderr, "%s: lane %d is %a; expected %a\n", what, i, double(found.v[i]),
                         double(expected.v[i]));
        }
    }
}
void expect_bytes(const char *what, const void *found, const void *expected, size_t size) {
    if (std::memcmp(found, expected, size) && ++failures < 20) {
        std::fprintf(stderr, "%s differs\n", what);
    }
}

#define ONE(operation, a)                                            \
    expect(#operation, stored(theirs::operation(theirs::load(a.v))), \
           stored(scalar::operation(scalar::load(a.v))))
#define TWO(operation, a, b)                                                            \
    expect(#operation, stored(theirs::operation(theirs::load(a.v), theirs::load(b.v))), \
           stored(scalar::operation(scalar::load(a.v), scalar::load(b.v))))
#define THREE(operation, a, b, c)                                                              \
    expect(#operation,                                                                         \
           stored(theirs::operation(theirs::load(a.v), theirs::load(b.v), theirs::load(c.v))), \
           stored(scalar::operation(scalar::load(a.v), scalar::load(b.v), scalar::load(c.v))))

void check_floats() {
    const Row a = row(any), b = row(any), c = row(any);
    TWO(add, a, b);
    TWO(subtract, a, b);
    TWO(multiply, a, b);
    TWO(divide, a, b);
    THREE(fused, a, b, c);
    THREE(fused_negative, a, b, c);
    ONE(magnitude, a);
    Row sums, products, quotients, roots;
    for (int i = 0; i < 16; ++i) {
        sums.v[i] = a.v[i] + b.v[i];
        products.v[i] = a.v[i] * b.v[i];
        quotients.v[i] = a.v[i] / b.v[i];
        roots.v[i] = std::fma(a.v[i], b.v[i], c.v[i]);
    }
    expect("scalar add", stored(scalar::add(scalar::load(a.v), scalar::load(b.v))), sums);
    expect("scalar multiply", stored(scalar::multiply(scalar::load(a.v), scalar::load(b.v))),
           products);
    expect("scalar divide", stored(scalar::divide(scalar::load(a.v), scalar::load(b.v))),
           quotients);
    expect("scalar fused",
           stored(scalar::fused(scalar::load(a.v), scalar::load(b.v), scalar::load(c.v))), roots);
    expect("splat", stored(theirs::splat(a.v[3])), row([&] { return a.v[3]; }));
    expect("zeros", stored(theirs::zeros()), row([] { return 0.0f; }));
    for (int count = 1; count <= 16; ++count) {
        expect("first_lanes",
               stored(theirs::first_lanes(theirs::load(a.v), count, theirs::load(b.v))),
               stored(scalar::first_lanes(scalar::load(a.v), count, scalar::load(b.v))));
    }
}

// What gets numbers alone: where one is not finite, only that is found out.
void check_numbers() {
    const auto usual = [] { return number(1e30f); };
    const Row a = row(usual), b = row(usual);
    TWO(larger, a, b);
    TWO(smaller, a, b);
    const float total = theirs::sum(theirs::load(a.v)), top = theirs::largest(theirs::load(a.v));
    expect("sum", row([&] { return total; }), row([&] { return scalar::sum(scalar::load(a.v)); }));
    expect("largest", row([&] { return top; }),
           row([&] { return scalar::largest(scalar::load(a.v)); }));
    const Row level = row([] { return float(below(2000) - 1000) / 4; }); // halves among them
    ONE(nearest, level);
    expect("to_ints", stored(theirs::to_floats(theirs::to_ints(theirs::load(level.v)))),
           row([at = 0, &level]() mutable {
               return std::nearbyint(level.v[at++]) + 0.0f; /* no -0 */
           }));
    const Row near_one = row([] { return 0.7f + float(below(1000)) / 1400; });
    const Row power = row([] { return float(below(252) - 125); });
    TWO(times_power_of_two, near_one, power);
}

// Four vectors in lockstep, and one.
#define FOUR(operation, rows)                                                        \
    {                                                                                \
        theirs::Floats four[4];                                                      \
        for (int i = 0; i < 4; ++i) {                                                \
            four[i] = theirs::load(rows[i].v);                                       \
        }                                                                            \
        theirs::operation<4>(four);                                                  \
        for (int i = 0; i < 4; ++i) {                                                \
            theirs::Floats one = theirs::load(rows[i].v);                            \
            scalar::Floats expected = scalar::load(rows[i].v);                       \
            theirs::operation<1>(&one);                                              \
            scalar::operation<1>(&expected);                                         \
            expect(#operation, stored(one), stored(expected));                       \
            expect(#operation " of four in lockstep", stored(four[i]), stored(one)); \
        }                                                                            \
    }

// The functions made of these: the same text, but for what a compiler might make of it.
void check_functions() {
    const auto any_four = [](float limit) {
        return std::array<Row, 4>{
            row([&] { return number(limit); }), row([&] { return number(limit); }),
            row([&] { return number(limit); }), row([&] { return number(limit); })};
    };
    const Row deep = row([] { return below(2) ? number(125) : -std::fabs(number(1e30f)); });
    const std::array<Row, 4> low = any_four(125), rows = any_four(200);
    const Row x = rows[0];
    ONE(exp2, deep);
    FOUR(exp2_in_range, low);
    FOUR(gelu, rows);
    ONE(gelu_tanh, x);
    ONE(sigmoid, x);
}

void check_ints() {
    int32_t a[16], b[16], found[16], expected[16];
    int8_t bytes[16];
    uint8_t stored_bytes[16], low_bytes[16];
    const int least = theirs::kUnsignedRows ? 0 : -128;
    Row wide;
    for (int i = 0; i < 16; ++i) {
        a[i] = int32_t(random_bits()), b[i] = int32_t(random_bits());
        expected[i] = int32_t(uint32_t(a[i]) + uint32_t(b[i]));
        bytes[i] = int8_t(random_bits());
        wide.v[i] = bytes[i];
    }
    const theirs::Ints sum = theirs::add(theirs::load(a), theirs::load(b));
    std::memcpy(found, &sum, sizeof found);
    expect_bytes("add of whole numbers", found, expected, sizeof found);
    expect("to_floats", stored(theirs::to_floats(theirs::load(a))),
           stored(scalar::to_floats(scalar::load(a))));
    expect("splat and no_ints",
           stored(theirs::to_floats(theirs::add(theirs::splat(a[0]), theirs::no_ints()))),
           row([&] { return float(a[0]); }));
    expect("widen", stored(theirs::widen(bytes)), wide);
    for (int i = 0; i < 16; ++i) {
        a[i] = least + below(256);
        low_bytes[i] = uint8_t(a[i]);
    }
    theirs::store_bytes(stored_bytes, theirs::load(a));
    expect_bytes("store_bytes", stored_bytes, low_bytes, sizeof low_bytes);
}

// Sums of four products of bytes, of a row's quad with sixteen columns'.
void check_dot(int row_level, int column_level) {
    uint8_t rows[64];
    int8_t columns[64];
    int32_t start[16], expected[16], found[16];
    for (int i = 0; i < 64; ++i) {
        const int level = i % 5 ? row_level : below(256) - 128;
        rows[i] = uint8_t(theirs::kUnsignedRows ? level + 128 : level);
        columns[i] = int8_t(i % 3 ? column_level : below(255) - 127);
    }
    for (int lane = 0; lane < 16; ++lane) {
        start[lane] = expected[lane] = int32_t(random_bits() >> 2) - (1 << 29);
        for (int i = 0; i < 4; ++i) {
            const int left = theirs::kUnsignedRows ? rows[i] : int8_t(rows[i]);
            expected[lane] += left * columns[4 * lane + i];
        }
    }
    const theirs::Ints sum =
        theirs::dot(theirs::load(start), theirs::splat_quad(rows), theirs::load_quads(columns));
    std::memcpy(found, &sum, sizeof found);
    expect_bytes("dot", found, expected, sizeof found);
}

// Values in a kernel's own order, stored in two parts, times weights of 14 bits, the largest and
// zero among them.
#define SUM_OF_VALUES(space, weights, factors, bytes, cut, used, found)        \
    {                                                                          \
        int8_t values[kKeys * 16 * space::kValueBytes];                        \
        space::place_values(bytes + cut, 0, cut, kKeys - cut, values);         \
        space::place_values(bytes, 0, 0, cut, values);                         \
        float packed[kKeys];                                                   \
        std::memcpy(packed, weights, sizeof packed);                           \
        space::pack_weights(packed, kKeys, factors);                           \
        space::Ints sums[1][1] = {{space::no_ints()}};                         \
        space::multiply_values<1, 1>(packed, kKeys, values, 0, 0, used, sums); \
        std::memcpy(found, sums, sizeof found);                                \
    }
constexpr int kKeys = 80;

void check_values() {
    float weights[kKeys], factors[kKeys];
    int8_t bytes[kKeys][edge_rerank::kernels::kMostHead];
    const int used = 16 * (1 + below(kKeys / 16)), cut = below(kKeys);
    int32_t expected[16] = {}, found[16];
    for (int key = 0; key < kKeys; ++key) {
        weights[key] = float(below(3) ? below(16384) : 16383 * below(2));
        factors[key] = below(2) ? 1.0f : 0.5f;
        const int32_t level = int32_t(std::nearbyint(weights[key] * factors[key]));
        for (int column = 0; column < 16; ++column) {
            bytes[key][column] = int8_t(below(255) - 127);
            expected[column] += key < used ? level * bytes[key][column] : 0;
        }
    }
    SUM_OF_VALUES(theirs, weights, factors, bytes, cut, used, found)
    expect_bytes("weighted values", found, expected, sizeof found);
    SUM_OF_VALUES(scalar, weights, factors, bytes, cut, used, found)
    expect_bytes("weighted values of plain C++", found, expected, sizeof found);
}

// The last quad of one group of columns, and all but the last of the next one.
void check_shifted() {
    if (theirs::kScoreRows < 2) {
        return; // it is not used then
    }
    uint8_t both[128], found[64];
    for (uint8_t &byte : both) {
        byte = uint8_t(random_bits());
    }
    const theirs::Quads quads =
        theirs::shifted(theirs::load_quads(both), theirs::load_quads(both + 64));
    std::memcpy(found, &quads, sizeof found);
    expect_bytes("shifted", found, both + 60, sizeof found);
}
} // namespace

int main() {
    for (int round = 0; round < 100'000; ++round) {
        check_floats();
        check_numbers();
        check_functions();
        check_ints();
    }
    for (int round = 0; round < 1000; ++round) {
        check_values();
    }
    check_shifted();
    for (int left = -128; left < 128; ++left) {
        for (int right = -127; right < 128; ++right) {
            check_dot(left, right);
        }
    }
    return failures ? 1 : 0;
}
