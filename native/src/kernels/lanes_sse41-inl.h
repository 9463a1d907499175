// Sixteen lanes as four 128-bit registers; multiply-and-add by way of double, as there is no
// fused instruction.
struct Floats { __m128 v[4]; };
struct Ints { __m128i v[4]; };
struct Quads { __m128i v[4]; };

constexpr bool kUnsignedRows = false;
constexpr bool kDoubleSums = true;              // double_sums.h
constexpr int kRows = 2, kGroups = 1;           // 8 accumulators of 16 registers
constexpr int kScoreRows = 1, kScoreGroups = 1; // 12
constexpr int kChains = 1;                      // each is of several registers

// Applies an expression to each of the four registers, numbered by `i`.
#define EACH(Type, expression)      \
    Type result;                    \
    for (int i = 0; i < 4; ++i) {   \
        result.v[i] = (expression); \
    }                               \
    return result

LANES Floats splat(float x) { EACH(Floats, _mm_set1_ps(x)); }
LANES Floats zeros() { return splat(0.0f); }
LANES Floats load(const float *p) { EACH(Floats, _mm_loadu_ps(p + 4 * i)); }
LANES void store(float *p, Floats x) {
    for (int i = 0; i < 4; ++i) {
        _mm_storeu_ps(p + 4 * i, x.v[i]);
    }
}
LANES Floats add(Floats a, Floats b) { EACH(Floats, _mm_add_ps(a.v[i], b.v[i])); }
LANES Floats subtract(Floats a, Floats b) { EACH(Floats, _mm_sub_ps(a.v[i], b.v[i])); }
LANES Floats multiply(Floats a, Floats b) { EACH(Floats, _mm_mul_ps(a.v[i], b.v[i])); }
LANES Floats divide(Floats a, Floats b) { EACH(Floats, _mm_div_ps(a.v[i], b.v[i])); }
LANES Floats larger(Floats a, Floats b) { EACH(Floats, _mm_max_ps(a.v[i], b.v[i])); }
LANES Floats smaller(Floats a, Floats b) { EACH(Floats, _mm_min_ps(a.v[i], b.v[i])); }
LANES Floats magnitude(Floats a) { EACH(Floats, _mm_andnot_ps(_mm_set1_ps(-0.0f), a.v[i])); }
LANES Floats nearest(Floats a) {
    EACH(Floats, _mm_round_ps(a.v[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
LANES __m128 first_of_four(__m128 a, int count, __m128 others) {
    const __m128i kept = _mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3));
    return _mm_blendv_ps(others, a, _mm_castsi128_ps(kept));
}
LANES Floats first_lanes(Floats a, int count, Floats others) {
    EACH(Floats, first_of_four(a.v[i], count - 4 * i, others.v[i]));
}

// Four lanes in double.
struct Doubles { __m128d low, high; };
LANES Doubles to_doubles(__m128 x) { return {_mm_cvtps_pd(x), _mm_cvtps_pd(_mm_movehl_ps(x, x))}; }
LANES __m128 to_floats(Doubles x) {
    return _mm_movelh_ps(_mm_cvtpd_ps(x.low), _mm_cvtpd_ps(x.high));
}

// a * b + c rounded to odd: what is not exact becomes the neighbour, above or below, whose last
// bit is 1. fused_one() in lanes_scalar.h says why; this is the same, two at a time.
LANES __m128d fused_to_odd(__m128d a, __m128d b, __m128d c) {
    const __m128d product = _mm_mul_pd(a, b), rough = _mm_add_pd(product, c);
    const __m128d shown = _mm_sub_pd(rough, product);
    const __m128d error =
        _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(rough, shown)), _mm_sub_pd(c, shown));
    const __m128d none = _mm_setzero_pd();
    // Not a number, which the error of what is infinite is, counts as neither.
    const __m128d inexact = _mm_or_pd(_mm_cmplt_pd(error, none), _mm_cmpgt_pd(error, none));
    const __m128i bits = _mm_castpd_si128(rough), one = _mm_set1_epi64x(1);
    const __m128i even = _mm_cmpeq_epi64(_mm_and_si128(bits, one), _mm_setzero_si128());
    // 1, or -1 where error and sum have other signs: bits count up with the distance from zero.
    const __m128i signs = _mm_castpd_si128(_mm_xor_pd(error, rough));
    const __m128i inward = _mm_shuffle_epi32(_mm_srai_epi32(signs, 31), _MM_SHUFFLE(3, 3, 1, 1));
    const __m128i step = _mm_or_si128(inward, one);
    const __m128i wanted = _mm_and_si128(_mm_castpd_si128(inexact), even);
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, wanted)));
}

[[gnu::noinline, gnu::cold, maybe_unused]] static Floats fused_exactly(Floats a, Floats b,
                                                                       Floats c) {
    for (int i = 0; i < 4; ++i) {
        const Doubles x = to_doubles(a.v[i]), y = to_doubles(b.v[i]), z = to_doubles(c.v[i]);
        a.v[i] =
            to_floats({fused_to_odd(x.low, y.low, z.low), fused_to_odd(x.high, y.high, z.high)});
    }
    return a;
}

// The product is exact in double. Rounding the sum to double and then to float is rounding once,
// but for two cases: the double lies halfway between two floats, and does not show from which side
// it came; or the float is too small to have all of its bits, so that halfway lies elsewhere.
LANES Floats fused(Floats a, Floats b, Floats c) {
    Floats result;
    __m128i below = _mm_set1_epi32(-1), least = _mm_set1_epi32(-1);
    for (int i = 0; i < 4; ++i) {
        const Doubles x = to_doubles(a.v[i]), y = to_doubles(b.v[i]), z = to_doubles(c.v[i]);
        const __m128d low = _mm_add_pd(_mm_mul_pd(x.low, y.low), z.low);
        const __m128d high = _mm_add_pd(_mm_mul_pd(x.high, y.high), z.high);
        result.v[i] = to_floats({low, high});
        // The lower halves of the doubles, whose lowest 29 bits a float has no room for.
        const __m128i halves = _mm_castps_si128(
            _mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), _MM_SHUFFLE(2, 0, 2, 0)));
        below = _mm_min_epi32(below, _mm_slli_epi32(halves, 3));
        least = _mm_min_epu32(least, _mm_slli_epi32(_mm_castps_si128(result.v[i]), 1));
    }
    const __m128i halfway = _mm_cmpeq_epi32(below, _mm_set1_epi32(INT32_MIN));
    const __m128i smallest = _mm_set1_epi32(1 << 24); // normal float, less its sign; zero is below
    const __m128i doubtful =
        _mm_or_si128(halfway, _mm_cmpeq_epi32(_mm_max_epu32(least, smallest), smallest));
    if (__builtin_expect(!_mm_testz_si128(doubtful, doubtful), 0)) {
        return fused_exactly(a, b, c);
    }
    return result;
}
LANES Floats negative(Floats a) { EACH(Floats, _mm_xor_ps(_mm_set1_ps(-0.0f), a.v[i])); }
LANES Floats fused_negative(Floats a, Floats b, Floats c) { return fused(negative(a), b, c); }

LANES __m128i load_four(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
LANES Ints load(const int32_t *p) { EACH(Ints, load_four(p + 4 * i)); }
LANES Ints splat(int32_t x) { EACH(Ints, _mm_set1_epi32(x)); }
LANES Ints no_ints() { return splat(int32_t(0)); }
LANES Ints to_ints(Floats a) { EACH(Ints, _mm_cvtps_epi32(a.v[i])); }
LANES Floats to_floats(Ints a) { EACH(Floats, _mm_cvtepi32_ps(a.v[i])); }
LANES Ints add(Ints a, Ints b) { EACH(Ints, _mm_add_epi32(a.v[i], b.v[i])); }
LANES __m128 times_power_of_two_four(__m128 x, __m128 whole) {
    const __m128i exponent = _mm_slli_epi32(_mm_cvtps_epi32(whole), 23);
    return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(x), exponent));
}
LANES Floats times_power_of_two(Floats x, Floats whole) {
    EACH(Floats, times_power_of_two_four(x.v[i], whole.v[i]));
}
LANES __m128i four_bytes(const void *p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm_cvtsi32_si128(quad);
}
LANES Floats widen(const int8_t *p) {
    EACH(Floats, _mm_cvtepi32_ps(_mm_cvtepi8_epi32(four_bytes(p + 4 * i))));
}
LANES void store_bytes(uint8_t *p, Ints a) {
    const __m128i low = _mm_set1_epi32(255); // of each lane; packing then cuts nothing off
    const __m128i first = _mm_packus_epi32(_mm_and_si128(a.v[0], low), _mm_and_si128(a.v[1], low));
    const __m128i last = _mm_packus_epi32(_mm_and_si128(a.v[2], low), _mm_and_si128(a.v[3], low));
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(first, last));
}

LANES Quads load_quads(const void *p) { EACH(Quads, load_four((const uint8_t *)p + 16 * i)); }
LANES Quads splat_quad(const void *p) { EACH(Quads, _mm_shuffle_epi32(four_bytes(p), 0)); }
LANES Quads shifted(Quads, Quads columns) { return columns; } // with one row of scores, not used
// Makes the compiler forget what it knows of a value.
LANES void forget(Quads &x) {
    __asm__ volatile("" : "+x"(x.v[0]), "+x"(x.v[1]), "+x"(x.v[2]), "+x"(x.v[3]));
}
// The byte products take unsigned rows and saturate in 16 bits. With the row's sign moved to the
// column, which is never -128, two products are at most 2 * 128 * 127 = 32512.
LANES __m128i dot_four(__m128i sum, __m128i rows, __m128i columns) {
    const __m128i pairs = _mm_maddubs_epi16(_mm_abs_epi8(rows), _mm_sign_epi8(columns, rows));
    return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}
LANES Ints dot(Ints sum, Quads rows, Quads columns) {
    EACH(Ints, dot_four(sum.v[i], rows.v[i], columns.v[i]));
}

// Sixteen numbers of 16 bits.
LANES void store_shorts(int16_t *p, Ints a) {
    _mm_storeu_si128((__m128i *)p, _mm_packs_epi32(a.v[0], a.v[1]));
    _mm_storeu_si128((__m128i *)p + 1, _mm_packs_epi32(a.v[2], a.v[3]));
}
// Pairs of such numbers: of a row, and of sixteen columns, one after the other.
constexpr int kColumnStep = 2, kKeyStep = 1;
LANES Ints dot_pairs(Ints sum, Quads row, Quads columns) {
    EACH(Ints, _mm_add_epi32(sum.v[i], _mm_madd_epi16(row.v[i], columns.v[i])));
}

LANES float sum(Floats x) {
    const __m128 low = _mm_add_ps(x.v[0], x.v[2]), high = _mm_add_ps(x.v[1], x.v[3]);
    __m128 y = _mm_add_ps(low, high);
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps(y, y, 1)));
}
LANES float largest(Floats x) {
    const __m128 low = _mm_max_ps(x.v[0], x.v[2]), high = _mm_max_ps(x.v[1], x.v[3]);
    __m128 y = _mm_max_ps(low, high);
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_shuffle_ps(y, y, 1)));
}
#undef EACH
