// Sixteen lanes as one 512-bit register; products of bytes with VNNI. Included inside a
// namespace of the kernel's own; the README says what lanes are.
struct Floats { __m512 v; };
struct Ints { __m512i v; };
struct Quads { __m512i v; };

constexpr bool kUnsignedRows = true;
constexpr bool kDoubleSums = false;
constexpr int kRows = 6, kGroups = 4;           // 24 accumulators of 32 registers
constexpr int kScoreRows = 2, kScoreGroups = 4; // the same, three for each score
constexpr int kChains = 4; // chains of sums side by side, each of which has to be waited for

LANES Floats zeros() { return {_mm512_setzero_ps()}; }
LANES Floats splat(float x) { return {_mm512_set1_ps(x)}; }
LANES Floats load(const float *p) { return {_mm512_loadu_ps(p)}; }
LANES void store(float *p, Floats x) { _mm512_storeu_ps(p, x.v); }
LANES Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
LANES Floats subtract(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
LANES Floats multiply(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
LANES Floats divide(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
LANES Floats fused(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
LANES Floats fused_negative(Floats a, Floats b, Floats c) {
    return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
LANES Floats larger(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
LANES Floats smaller(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
LANES Floats magnitude(Floats a) { return {_mm512_abs_ps(a.v)}; }
LANES Floats nearest(Floats a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
LANES Floats first_lanes(Floats a, int count, Floats others) {
    return {_mm512_mask_blend_ps(__mmask16((1u << count) - 1), others.v, a.v)};
}

LANES Ints load(const int32_t *p) { return {_mm512_loadu_si512(p)}; }
// The lanes of `a`, but of `b` where the lane's number has this bit.
template <int bit> LANES Ints with_lanes(Ints a, Ints b) {
    constexpr unsigned lanes = bit == 8 ? 0xFF00 : bit == 4 ? 0xF0F0 : bit == 2 ? 0xCCCC : 0xAAAA;
    return {_mm512_mask_blend_epi32(__mmask16(lanes), a.v, b.v)};
}
LANES Ints no_ints() { return {_mm512_setzero_si512()}; }
LANES Ints splat(int32_t x) { return {_mm512_set1_epi32(x)}; }
LANES Ints to_ints(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }
LANES Floats to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
LANES Ints add(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
LANES Ints moved_up(Ints a) { return {_mm512_slli_epi32(a.v, 7)}; }
LANES Floats times_power_of_two(Floats x, Floats whole) { return {_mm512_scalef_ps(x.v, whole.v)}; }
LANES Floats widen(const int8_t *p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)))};
}
LANES void store_bytes(uint8_t *p, Ints a) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a.v));
}

// The higher and the lower seven bits of 64 numbers of 14 bits. Packing leaves fours of each
// quarter of a register together.
LANES void store_split(uint8_t *high, uint8_t *low, const Ints (&a)[4]) {
    const __m512i fours = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i seven = _mm512_set1_epi16(127);
    const __m512i x = _mm512_packus_epi32(a[0].v, a[1].v), y = _mm512_packus_epi32(a[2].v, a[3].v);
    const __m512i above = _mm512_packus_epi16(_mm512_srli_epi16(x, 7), _mm512_srli_epi16(y, 7));
    const __m512i below =
        _mm512_packus_epi16(_mm512_and_si512(x, seven), _mm512_and_si512(y, seven));
    _mm512_storeu_si512(high, _mm512_permutexvar_epi32(fours, above));
    _mm512_storeu_si512(low, _mm512_permutexvar_epi32(fours, below));
}

LANES Quads load_quads(const void *p) { return {_mm512_loadu_si512(p)}; }
LANES Quads splat_quad(const void *p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return {_mm512_set1_epi32(quad)};
}
// The last quad of `before`, then all but the last of `columns`.
LANES Quads shifted(Quads before, Quads columns) {
    return {_mm512_alignr_epi32(columns.v, before.v, 15)};
}
// Makes the compiler forget what it knows of a value.
LANES void forget(Quads &x) { __asm__ volatile("" : "+v"(x.v)); }
LANES Ints dot(Ints sum, Quads rows, Quads columns) {
    return {_mm512_dpbusd_epi32(sum.v, rows.v, columns.v)};
}

LANES float sum_halves(__m256 x) {
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps(y, y, 1)));
}
LANES float sum(Floats x) {
    return sum_halves(_mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1)));
}
LANES float largest(Floats x) { return _mm512_reduce_max_ps(x.v); }
