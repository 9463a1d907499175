// Sixteen lanes as two 256-bit registers. dot() is the including kernel's: VNNI or not.
struct Floats { __m256 v[2]; };
struct Ints { __m256i v[2]; };
struct Quads { __m256i v[2]; };

constexpr bool kDoubleSums = false;
constexpr int kRows = 4, kGroups = 1;           // 8 accumulators of 16 registers
constexpr int kScoreRows = 1, kScoreGroups = 1; // 6
constexpr int kChains = 2;                      // see lanes_avx512-inl.h

// clang-format off
#define BOTH(expression_0, expression_1) {{expression_0, expression_1}}
// clang-format on

LANES Floats zeros() { return BOTH(_mm256_setzero_ps(), _mm256_setzero_ps()); }
LANES Floats splat(float x) { return BOTH(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
LANES Floats load(const float *p) { return BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
LANES void store(float *p, Floats x) {
    _mm256_storeu_ps(p, x.v[0]);
    _mm256_storeu_ps(p + 8, x.v[1]);
}
LANES Floats add(Floats a, Floats b) {
    return BOTH(_mm256_add_ps(a.v[0], b.v[0]), _mm256_add_ps(a.v[1], b.v[1]));
}
LANES Floats subtract(Floats a, Floats b) {
    return BOTH(_mm256_sub_ps(a.v[0], b.v[0]), _mm256_sub_ps(a.v[1], b.v[1]));
}
LANES Floats multiply(Floats a, Floats b) {
    return BOTH(_mm256_mul_ps(a.v[0], b.v[0]), _mm256_mul_ps(a.v[1], b.v[1]));
}
LANES Floats divide(Floats a, Floats b) {
    return BOTH(_mm256_div_ps(a.v[0], b.v[0]), _mm256_div_ps(a.v[1], b.v[1]));
}
LANES Floats fused(Floats a, Floats b, Floats c) {
    return BOTH(_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1]));
}
LANES Floats fused_negative(Floats a, Floats b, Floats c) {
    return BOTH(_mm256_fnmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fnmadd_ps(a.v[1], b.v[1], c.v[1]));
}
LANES Floats larger(Floats a, Floats b) {
    return BOTH(_mm256_max_ps(a.v[0], b.v[0]), _mm256_max_ps(a.v[1], b.v[1]));
}
LANES Floats smaller(Floats a, Floats b) {
    return BOTH(_mm256_min_ps(a.v[0], b.v[0]), _mm256_min_ps(a.v[1], b.v[1]));
}
LANES Floats magnitude(Floats a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return BOTH(_mm256_andnot_ps(sign, a.v[0]), _mm256_andnot_ps(sign, a.v[1]));
}
LANES Floats nearest(Floats a) {
    constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return BOTH(_mm256_round_ps(a.v[0], mode), _mm256_round_ps(a.v[1], mode));
}
LANES __m256 first_of_eight(__m256 a, int count, __m256 others) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i kept = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
    return _mm256_blendv_ps(others, a, _mm256_castsi256_ps(kept));
}
LANES Floats first_lanes(Floats a, int count, Floats others) {
    return BOTH(first_of_eight(a.v[0], count, others.v[0]),
                first_of_eight(a.v[1], count - 8, others.v[1]));
}

LANES __m256i load_eight(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
LANES Ints load(const int32_t *p) { return BOTH(load_eight(p), load_eight(p + 8)); }
LANES Ints no_ints() { return BOTH(_mm256_setzero_si256(), _mm256_setzero_si256()); }
LANES Ints splat(int32_t x) { return BOTH(_mm256_set1_epi32(x), _mm256_set1_epi32(x)); }
LANES Ints to_ints(Floats a) {
    return BOTH(_mm256_cvtps_epi32(a.v[0]), _mm256_cvtps_epi32(a.v[1]));
}
LANES Floats to_floats(Ints a) {
    return BOTH(_mm256_cvtepi32_ps(a.v[0]), _mm256_cvtepi32_ps(a.v[1]));
}
LANES Ints add(Ints a, Ints b) {
    return BOTH(_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1]));
}
// All but the lowest seven bits, these, and the way back.
LANES Ints high_bits(Ints a) {
    return BOTH(_mm256_srli_epi32(a.v[0], 7), _mm256_srli_epi32(a.v[1], 7));
}
LANES Ints low_bits(Ints a) {
    const __m256i low = _mm256_set1_epi32(127);
    return BOTH(_mm256_and_si256(a.v[0], low), _mm256_and_si256(a.v[1], low));
}
LANES Ints moved_up(Ints a) {
    return BOTH(_mm256_slli_epi32(a.v[0], 7), _mm256_slli_epi32(a.v[1], 7));
}
LANES __m256 times_power_of_two_eight(__m256 x, __m256 whole) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent));
}
LANES Floats times_power_of_two(Floats x, Floats whole) {
    return BOTH(times_power_of_two_eight(x.v[0], whole.v[0]),
                times_power_of_two_eight(x.v[1], whole.v[1]));
}
LANES __m256 widen_eight(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
LANES Floats widen(const int8_t *p) { return BOTH(widen_eight(p), widen_eight(p + 8)); }
LANES void store_bytes(uint8_t *p, Ints a) {
    // The low byte of each lane, gathered within each half, then the halves joined.
    const __m256i low =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                         -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
    for (int half = 0; half < 2; ++half) {
        const __m256i bytes = _mm256_shuffle_epi8(a.v[half], low);
        const __m128i eight =
            _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
        _mm_storel_epi64((__m128i *)(p + 8 * half), eight);
    }
}

LANES Quads load_quads(const void *p) {
    return BOTH(load_eight(p), load_eight((const uint8_t *)p + 32));
}
LANES Quads splat_quad(const void *p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return BOTH(_mm256_set1_epi32(quad), _mm256_set1_epi32(quad));
}
LANES Quads shifted(Quads, Quads columns) { return columns; } // with one row of scores, not used
// Makes the compiler forget what it knows of a value.
LANES void forget(Quads &x) { __asm__ volatile("" : "+x"(x.v[0]), "+x"(x.v[1])); }
LANES __m256i dot_eight(__m256i sum, __m256i rows, __m256i columns);
LANES Ints dot(Ints sum, Quads rows, Quads columns) {
    return BOTH(dot_eight(sum.v[0], rows.v[0], columns.v[0]),
                dot_eight(sum.v[1], rows.v[1], columns.v[1]));
}

// Sixteen numbers of 16 bits: what lies in the registers' quarters out of turn is put in order.
LANES void store_shorts(int16_t *p, Ints a) {
    const __m256i mixed = _mm256_packs_epi32(a.v[0], a.v[1]);
    const __m256i shorts = _mm256_permute4x64_epi64(mixed, _MM_SHUFFLE(3, 1, 2, 0));
    _mm256_storeu_si256((__m256i *)p, shorts);
}
// Pairs of such numbers: of a row, and of sixteen columns, one after the other.
constexpr int kColumnStep = 2, kKeyStep = 1;
LANES Ints dot_pairs(Ints sum, Quads row, Quads columns) {
    return BOTH(_mm256_add_epi32(sum.v[0], _mm256_madd_epi16(row.v[0], columns.v[0])),
                _mm256_add_epi32(sum.v[1], _mm256_madd_epi16(row.v[1], columns.v[1])));
}

LANES __m128 fold(__m256 x) {
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}
LANES float sum(Floats x) {
    __m128 y = fold(_mm256_add_ps(x.v[0], x.v[1]));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps(y, y, 1)));
}
LANES float largest(Floats x) {
    const __m256 eight = _mm256_max_ps(x.v[0], x.v[1]);
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_shuffle_ps(y, y, 1)));
}
#undef BOTH
