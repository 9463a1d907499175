// Sixteen lanes as an array: plain C++ that any compiler and any CPU runs, and the reference that
// the other kernels are tested against. Rows are signed or unsigned as the including kernel says.
struct Floats { float v[16]; };
struct Ints { int32_t v[16]; };
struct Quads { int8_t v[64]; };

constexpr bool kDoubleSums = false;
constexpr int kRows = 1, kGroups = 1;
constexpr int kScoreRows = 1, kScoreGroups = 1;
constexpr int kChains = 1;

#define EACH(Type, expression)      \
    Type result;                    \
    for (int i = 0; i < 16; ++i) {  \
        result.v[i] = (expression); \
    }                               \
    return result

LANES uint64_t bits_of(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, 8);
    return bits;
}
LANES double of_bits(uint64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, 8);
    return x;
}
// a * b + c rounded once, also where the CPU has no such instruction. The product is exact in
// double; the sum is rounded to odd (Boldo and Melquiond, 2008), after which rounding to float
// gives the correctly rounded result.
LANES float fused_one(float a, float b, float c) {
    const double product = double(a) * double(b), addend = c;
    const double rough = product + addend;
    const double shown = rough - product;
    const double error = (product - (rough - shown)) + (addend - shown);
    const uint64_t bits = bits_of(rough);
    if (error == 0.0 || error != error || (bits & 1)) {
        return float(rough);
    }
    const bool away = (error > 0.0) == (rough > 0.0);
    return float(of_bits(away ? bits + 1 : bits - 1));
}
// To the nearest whole number, ties to even: adding 2^23 leaves no room for a fraction, and what is
// not below it has none.
LANES float nearest_one(float x) {
    const float shift = 8388608.0f, size = __builtin_fabsf(x);
    return size < shift ? __builtin_copysignf((size + shift) - shift, x) : x;
}

LANES Floats splat(float x) { EACH(Floats, x); }
LANES Floats zeros() { return splat(0.0f); }
LANES Floats load(const float *p) { EACH(Floats, p[i]); }
LANES void store(float *p, Floats x) { __builtin_memcpy(p, x.v, sizeof x.v); }
LANES Floats add(Floats a, Floats b) { EACH(Floats, a.v[i] + b.v[i]); }
LANES Floats subtract(Floats a, Floats b) { EACH(Floats, a.v[i] - b.v[i]); }
LANES Floats multiply(Floats a, Floats b) { EACH(Floats, a.v[i] * b.v[i]); }
LANES Floats divide(Floats a, Floats b) { EACH(Floats, a.v[i] / b.v[i]); }
LANES Floats fused(Floats a, Floats b, Floats c) {
    EACH(Floats, fused_one(a.v[i], b.v[i], c.v[i]));
}
LANES Floats fused_negative(Floats a, Floats b, Floats c) {
    EACH(Floats, fused_one(-a.v[i], b.v[i], c.v[i]));
}
LANES Floats larger(Floats a, Floats b) { EACH(Floats, a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
LANES Floats smaller(Floats a, Floats b) { EACH(Floats, a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
LANES Floats magnitude(Floats a) { EACH(Floats, __builtin_fabsf(a.v[i])); }
LANES Floats nearest(Floats a) { EACH(Floats, nearest_one(a.v[i])); }
LANES Floats first_lanes(Floats a, int count, Floats others) {
    EACH(Floats, i < count ? a.v[i] : others.v[i]);
}

LANES Ints load(const int32_t *p) { EACH(Ints, p[i]); }
// The lanes of `a`, but of `b` where the lane's number has this bit.
template <int bit> LANES Ints with_lanes(Ints a, Ints b) { EACH(Ints, i & bit ? b.v[i] : a.v[i]); }
LANES Ints no_ints() { EACH(Ints, 0); }
LANES Ints splat(int32_t x) { EACH(Ints, x); }
LANES int32_t to_int_one(float x) {
    const float whole = nearest_one(x);
    return whole > -2147483648.0f && whole < 2147483648.0f ? int32_t(whole) : INT32_MIN;
}
LANES Ints to_ints(Floats a) { EACH(Ints, to_int_one(a.v[i])); }
LANES Floats to_floats(Ints a) { EACH(Floats, float(a.v[i])); }
// Around, as in registers: to_ints() of what is not finite is near the end of the range.
LANES Ints add(Ints a, Ints b) { EACH(Ints, int32_t(uint32_t(a.v[i]) + uint32_t(b.v[i]))); }
// All but the lowest seven bits, these, and the way back.
LANES Ints high_bits(Ints a) { EACH(Ints, int32_t(uint32_t(a.v[i]) >> 7)); }
LANES Ints low_bits(Ints a) { EACH(Ints, a.v[i] & 127); }
LANES Ints moved_up(Ints a) { EACH(Ints, int32_t(uint32_t(a.v[i]) << 7)); }
LANES float times_power_of_two_one(float x, float whole) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    bits += uint32_t(to_int_one(whole)) << 23;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}
LANES Floats times_power_of_two(Floats x, Floats whole) {
    EACH(Floats, times_power_of_two_one(x.v[i], whole.v[i]));
}
LANES Floats widen(const int8_t *p) { EACH(Floats, float(p[i])); }
LANES void store_bytes(uint8_t *p, Ints a) {
    for (int i = 0; i < 16; ++i) {
        p[i] = uint8_t(a.v[i]);
    }
}

LANES Quads load_quads(const void *p) {
    Quads result;
    __builtin_memcpy(result.v, p, sizeof result.v);
    return result;
}
LANES Quads splat_quad(const void *p) {
    Quads result;
    for (int i = 0; i < 16; ++i) {
        __builtin_memcpy(result.v + 4 * i, p, 4);
    }
    return result;
}
LANES Quads shifted(Quads, Quads columns) { return columns; } // with one row of scores, not used
// Makes the compiler forget what it knows of a value.
LANES void forget(Quads &x) { __asm__ volatile("" : "+m"(x)); }
LANES Ints dot(Ints sum, Quads rows, Quads columns) {
    for (int i = 0; i < 64; ++i) {
        const int32_t row = kUnsignedRows ? uint8_t(rows.v[i]) : rows.v[i];
        sum.v[i / 4] = int32_t(uint32_t(sum.v[i / 4]) + uint32_t(row * columns.v[i]));
    }
    return sum;
}

LANES float sum(Floats x) {
    for (int width = 8; width; width /= 2) {
        for (int i = 0; i < width; ++i) {
            x.v[i] = x.v[i] + x.v[i + width];
        }
    }
    return x.v[0];
}
LANES float largest(Floats x) {
    float result = x.v[0];
    for (int i = 1; i < 16; ++i) {
        result = x.v[i] > result ? x.v[i] : result;
    }
    return result;
}
#undef EACH
