// Sixteen lanes as four 128-bit registers. dot_four() is the including kernel's.
struct Floats { float32x4_t v[4]; };
struct Ints { int32x4_t v[4]; };
struct Quads { int8x16_t v[4]; };

constexpr bool kUnsignedRows = false;
constexpr bool kDoubleSums = false;
constexpr int kRows = 4, kGroups = 1;           // 16 accumulators of 32 registers
constexpr int kScoreRows = 1, kScoreGroups = 1; // 12
constexpr int kChains = 1;                      // each is of several registers

// Applies an expression to each of the four registers, numbered by `i`.
#define EACH(Type, expression)      \
    Type result;                    \
    for (int i = 0; i < 4; ++i) {   \
        result.v[i] = (expression); \
    }                               \
    return result

LANES Floats splat(float x) { EACH(Floats, vdupq_n_f32(x)); }
LANES Floats zeros() { return splat(0.0f); }
LANES Floats load(const float *p) { EACH(Floats, vld1q_f32(p + 4 * i)); }
LANES void store(float *p, Floats x) {
    for (int i = 0; i < 4; ++i) {
        vst1q_f32(p + 4 * i, x.v[i]);
    }
}
LANES Floats add(Floats a, Floats b) { EACH(Floats, vaddq_f32(a.v[i], b.v[i])); }
LANES Floats subtract(Floats a, Floats b) { EACH(Floats, vsubq_f32(a.v[i], b.v[i])); }
LANES Floats multiply(Floats a, Floats b) { EACH(Floats, vmulq_f32(a.v[i], b.v[i])); }
LANES Floats divide(Floats a, Floats b) { EACH(Floats, vdivq_f32(a.v[i], b.v[i])); }
LANES Floats fused(Floats a, Floats b, Floats c) {
    EACH(Floats, vfmaq_f32(c.v[i], a.v[i], b.v[i]));
}
LANES Floats fused_negative(Floats a, Floats b, Floats c) {
    EACH(Floats, vfmsq_f32(c.v[i], a.v[i], b.v[i]));
}
LANES Floats larger(Floats a, Floats b) { EACH(Floats, vmaxq_f32(a.v[i], b.v[i])); }
LANES Floats smaller(Floats a, Floats b) { EACH(Floats, vminq_f32(a.v[i], b.v[i])); }
LANES Floats magnitude(Floats a) { EACH(Floats, vabsq_f32(a.v[i])); }
LANES Floats nearest(Floats a) { EACH(Floats, vrndnq_f32(a.v[i])); }
LANES Floats first_lanes(Floats a, int count, Floats others) {
    static const int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int32x4_t limit = vdupq_n_s32(count);
    EACH(Floats, vbslq_f32(vcltq_s32(vld1q_s32(numbers + 4 * i), limit), a.v[i], others.v[i]));
}

LANES Ints load(const int32_t *p) { EACH(Ints, vld1q_s32(p + 4 * i)); }
LANES Ints no_ints() { EACH(Ints, vdupq_n_s32(0)); }
LANES Ints splat(int32_t x) { EACH(Ints, vdupq_n_s32(x)); }
LANES Ints to_ints(Floats a) { EACH(Ints, vcvtnq_s32_f32(a.v[i])); }
LANES Floats to_floats(Ints a) { EACH(Floats, vcvtq_f32_s32(a.v[i])); }
LANES Ints add(Ints a, Ints b) { EACH(Ints, vaddq_s32(a.v[i], b.v[i])); }
// All but the lowest seven bits, these, and the way back.
LANES Ints high_bits(Ints a) {
    EACH(Ints, vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v[i]), 7)));
}
LANES Ints low_bits(Ints a) { EACH(Ints, vandq_s32(a.v[i], vdupq_n_s32(127))); }
LANES Ints moved_up(Ints a) { EACH(Ints, vshlq_n_s32(a.v[i], 7)); }
LANES Floats times_power_of_two(Floats x, Floats whole) {
    EACH(Floats, vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x.v[i]),
                                                 vshlq_n_s32(vcvtnq_s32_f32(whole.v[i]), 23))));
}
LANES Floats widen(const int8_t *p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
             vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
             vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))}};
}
LANES void store_bytes(uint8_t *p, Ints a) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.v[0]), vmovn_s32(a.v[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(a.v[2]), vmovn_s32(a.v[3]));
    vst1q_s8((int8_t *)p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

LANES Quads load_quads(const void *p) { EACH(Quads, vld1q_s8((const int8_t *)p + 16 * i)); }
LANES Quads splat_quad(const void *p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    EACH(Quads, vreinterpretq_s8_s32(vdupq_n_s32(quad)));
}
LANES Quads shifted(Quads, Quads columns) { return columns; } // with one row of scores, not used
// Makes the compiler forget what it knows of a value.
LANES void forget(Quads &x) {
    __asm__ volatile("" : "+w"(x.v[0]), "+w"(x.v[1]), "+w"(x.v[2]), "+w"(x.v[3]));
}
LANES int32x4_t dot_four(int32x4_t sum, int8x16_t rows, int8x16_t columns);
LANES Ints dot(Ints sum, Quads rows, Quads columns) {
    EACH(Ints, dot_four(sum.v[i], rows.v[i], columns.v[i]));
}

// Sixteen numbers of 16 bits.
LANES void store_shorts(int16_t *p, Ints a) {
    vst1q_s16(p, vcombine_s16(vmovn_s32(a.v[0]), vmovn_s32(a.v[1])));
    vst1q_s16(p + 8, vcombine_s16(vmovn_s32(a.v[2]), vmovn_s32(a.v[3])));
}
// Pairs of such numbers: of a row, and of sixteen columns, whose first ones come first. Each half
// is multiplied by one number.
constexpr int kColumnStep = 1, kKeyStep = 16;
LANES Ints dot_pairs(Ints sum, Quads row, Quads columns) {
    const int16x4_t pair = vget_low_s16(vreinterpretq_s16_s8(row.v[0]));
    for (int half = 0; half < 2; ++half) {
        const int16x8_t a = vreinterpretq_s16_s8(columns.v[half]);
        const int16x8_t b = vreinterpretq_s16_s8(columns.v[2 + half]);
        int32x4_t &low = sum.v[2 * half], &high = sum.v[2 * half + 1];
        low =
            vmlal_lane_s16(vmlal_lane_s16(low, vget_low_s16(a), pair, 0), vget_low_s16(b), pair, 1);
        high = vmlal_high_lane_s16(vmlal_high_lane_s16(high, a, pair, 0), b, pair, 1);
    }
    return sum;
}

LANES float sum(Floats x) {
    const float32x4_t low = vaddq_f32(x.v[0], x.v[2]), high = vaddq_f32(x.v[1], x.v[3]);
    const float32x4_t four = vaddq_f32(low, high);
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
LANES float largest(Floats x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[1]), vmaxq_f32(x.v[2], x.v[3])));
}
#undef EACH
