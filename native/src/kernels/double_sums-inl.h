// Running sums of fused products on lanes without a fused instruction: in double, but rounded to
// floats after each step. What fused() does step by step is done once here: it is found out
// beforehand whether a float could overflow or get too small to have all of its bits, and
// afterwards whether a double ever lay halfway between two floats.
#include "kernels/unrolled-inl.h"

// Magnitudes as bits; of those that are not zero, the least one less 1.
struct Range { __m128i least, most; };
LANES Range no_range() { return {_mm_set1_epi32(-1), _mm_setzero_si128()}; }
LANES void include(Range &range, __m128 x) {
    const __m128i size = _mm_and_si128(_mm_castps_si128(x), _mm_set1_epi32(INT32_MAX));
    range.most = _mm_max_epu32(range.most, size);
    range.least = _mm_min_epu32(range.least, _mm_add_epi32(size, _mm_set1_epi32(-1)));
}

// The least and the greatest exponent, as floats store them. All zeros count as tiny and huge.
struct Exponents { int least, most; };
LANES Exponents exponents(Range range) {
    __m128i least = range.least, most = range.most;
    least = _mm_min_epu32(least, _mm_shuffle_epi32(least, _MM_SHUFFLE(1, 0, 3, 2)));
    least = _mm_min_epu32(least, _mm_shuffle_epi32(least, _MM_SHUFFLE(2, 3, 0, 1)));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, _MM_SHUFFLE(1, 0, 3, 2)));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, _MM_SHUFFLE(2, 3, 0, 1)));
    return {int(uint32_t(_mm_cvtsi128_si32(least)) >> 23),
            int(uint32_t(_mm_cvtsi128_si32(most)) >> 23)};
}

LANES void include_row(Range &range, const float *row, int count) {
    int i = 0;
    for (; i + 4 <= count; i += 4) {
        include(range, _mm_loadu_ps(row + i));
    }
    for (; i < count; ++i) {
        include(range, _mm_set1_ps(row[i]));
    }
}

// Whether no sum can overflow, or have a bit below the last one that any float has, 2^-149: a
// product's last bit is 2^-46 of the product of both powers of two.
template <int rows, int groups>
LANES bool in_range(const float *input, ptrdiff_t stride, const float *weights,
                    ptrdiff_t weight_stride, ptrdiff_t group_stride, int inputs,
                    const Floats (&sums)[rows][groups]) {
    Range left = no_range(), right = no_range(), start = no_range();
    TIMES(r, rows) {
        include_row(left, input + r * stride, inputs);
        TIMES(g, groups) {
            TIMES(i, 4) { include(start, sums[r][g].v[i]); }
        }
    }
    for (int i = 0; i < inputs; ++i) {
        TIMES(g, groups) {
            TIMES(j, 4) {
                include(right,
                        _mm_loadu_ps(weights + i * weight_stride + g * group_stride + 4 * j));
            }
        }
    }
    const Exponents a = exponents(left), b = exponents(right), c = exponents(start);
    constexpr int bias = 127, last_bit = -149, head_room = 20;
    return a.least + b.least - 2 * bias - 46 >= last_bit && inputs <= 1 << head_room &&
           a.most + b.most - 2 * (bias - 1) + head_room < bias && c.most < 2 * bias - 1;
}

// What a float has no room for is rounded up or down by its first bit alone: what lies halfway is
// wrong, and found by `below`, which becomes INT32_MIN.
LANES void round_four(__m128d &low, __m128d &high, __m128i &below) {
    const __m128i halves = _mm_castps_si128(
        _mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), _MM_SHUFFLE(2, 0, 2, 0)));
    below = _mm_min_epi32(below, _mm_slli_epi32(halves, 3));
    const __m128i half = _mm_set1_epi64x(1ll << 28), kept = _mm_set1_epi64x(~0x1fffffffll);
    low = _mm_castsi128_pd(_mm_and_si128(_mm_add_epi64(_mm_castpd_si128(low), half), kept));
    high = _mm_castsi128_pd(_mm_and_si128(_mm_add_epi64(_mm_castpd_si128(high), half), kept));
}

// Eight columns of up to two rows: eight accumulators of 16 registers.
template <int rows>
LANES void sum_half(const float *input, ptrdiff_t stride, const float *weights,
                    ptrdiff_t weight_stride, int inputs, Doubles (&sums)[rows][2], __m128i &below) {
    for (int i = 0; i < inputs; ++i, weights += weight_stride) {
        __m128d row[rows];
        TIMES(r, rows) { row[r] = _mm_set1_pd(double(input[r * stride + i])); }
        TIMES(four, 2) {
            const Doubles columns = to_doubles(_mm_loadu_ps(weights + 4 * four));
            TIMES(r, rows) {
                Doubles &sum = sums[r][four];
                sum.low = _mm_add_pd(sum.low, _mm_mul_pd(columns.low, row[r]));
                sum.high = _mm_add_pd(sum.high, _mm_mul_pd(columns.high, row[r]));
                round_four(sum.low, sum.high, below);
            }
        }
    }
}

template <int some, int rows, int groups>
LANES void sum_rows(int first, const float *input, ptrdiff_t stride, const float *weights,
                    ptrdiff_t weight_stride, ptrdiff_t group_stride, int inputs,
                    Floats (&sums)[rows][groups], __m128i &below) {
    TIMES(g, groups) {
        TIMES(half, 2) {
            Doubles wide[some][2];
            TIMES(r, some) {
                TIMES(four, 2) {
                    wide[r][four] = to_doubles(sums[first + r][g].v[2 * half + four]);
                }
            }
            sum_half<some>(input + first * stride, stride, weights + g * group_stride + 8 * half,
                           weight_stride, inputs, wide, below);
            TIMES(r, some) {
                TIMES(four, 2) { sums[first + r][g].v[2 * half + four] = to_floats(wide[r][four]); }
            }
        }
    }
}

// sums += rows * weights, as multiply_f32() has it; false, and nothing done, where this way may
// give other bits.
template <int rows, int groups>
LANES bool add_in_doubles(const float *input, ptrdiff_t stride, const float *weights,
                          ptrdiff_t weight_stride, ptrdiff_t group_stride, int inputs,
                          Floats (&sums)[rows][groups]) {
    if (!in_range(input, stride, weights, weight_stride, group_stride, inputs, sums)) {
        return false;
    }
    Floats result[rows][groups];
    TIMES(r, rows) {
        TIMES(g, groups) { result[r][g] = sums[r][g]; }
    }
    __m128i below = _mm_setzero_si128();
    for (int row = 0; row + 2 <= rows; row += 2) {
        sum_rows<2>(row, input, stride, weights, weight_stride, group_stride, inputs, result,
                    below);
    }
    if constexpr (rows % 2) {
        sum_rows<1>(rows - 1, input, stride, weights, weight_stride, group_stride, inputs, result,
                    below);
    }
    const __m128i halfway = _mm_cmpeq_epi32(below, _mm_set1_epi32(INT32_MIN));
    if (!_mm_testz_si128(halfway, halfway)) {
        return false;
    }
    TIMES(r, rows) {
        TIMES(g, groups) { sums[r][g] = result[r][g]; }
    }
    return true;
}
