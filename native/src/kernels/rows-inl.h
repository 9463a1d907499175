// Arithmetic on rows, each by itself: quantisation, activation functions, norms. Written on sixteen
// lanes, so that every kernel compiles the same text to the same results.

#include "kernels/unrolled-inl.h"

// Of `count` vectors in lockstep, as each is a chain that has to be waited for: the coefficients
// from the highest power's to the constant.
template <int count, int terms>
LANES void polynomial(const float (&coefficients)[terms], const Floats *x, Floats *y) {
    TIMES(n, count) { y[n] = splat(coefficients[0]); }
    TIMES(term, terms - 1) {
        TIMES(n, count) { y[n] = fused(y[n], x[n], splat(coefficients[term + 1])); }
    }
}

// 2^x for -125 <= x <= 127, relative error 8e-8. The polynomial is a minimax fit on [-1/2, 1/2].
// Below -125 numbers would become subnormal, which some CPUs are slow at.
constexpr float kPower[] = {0x1.5c08d2p-10f, 0x1.3d0c52p-7f, 0x1.c6b6e6p-5f,
                            0x1.ebf918p-3f,  0x1.62e428p-1f, 0x1.000002p+0f};
template <int count> LANES void exp2_in_range(Floats *x) {
    Floats whole[count], part[count], y[count];
    TIMES(n, count) { whole[n] = nearest(x[n]); }
    TIMES(n, count) { part[n] = subtract(x[n], whole[n]); }
    polynomial<count>(kPower, part, y);
    TIMES(n, count) { x[n] = times_power_of_two(y[n], whole[n]); }
}
LANES Floats exp2(Floats x) {
    x = larger(x, splat(-125.0f));
    exp2_in_range<1>(&x);
    return x;
}

// x * Phi(x) = max(x, 0) - |x| * Q(|x|), Q being the upper tail of the normal distribution, whose
// logarithm is nearly a parabola: a minimax fit of degree 7 up to 6, behind which the tail is
// below 1e-8. The error is at most 3e-7, the last bit of the largest results.
constexpr float kTail[] = {0x1.5c643cp-20f, 0x1.4338c2p-16f, -0x1.752ca8p-11f, 0x1.04e55p-7f,
                           -0x1.b47ep-5f,   -0x1.d5daeap-2f, -0x1.26b3f8p+0f,  -0x1.ffff48p-1f};
template <int count> LANES void gelu(Floats *x) {
    Floats a[count], y[count];
    TIMES(n, count) { a[n] = smaller(magnitude(x[n]), splat(6.0f)); }
    polynomial<count>(kTail, a, y);
    exp2_in_range<count>(y);
    TIMES(n, count) { x[n] = fused_negative(magnitude(x[n]), y[n], larger(x[n], zeros())); }
}

// 1 / (1 + exp(-x))
LANES Floats sigmoid(Floats x) {
    const Floats limited = smaller(larger(x, splat(-80.0f)), splat(80.0f));
    const Floats power = exp2(multiply(limited, splat(-1.44269504f)));
    return divide(splat(1.0f), add(splat(1.0f), power));
}

// gelu's tanh form, x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3)
// (Hendrycks and Gimpel, 2016), and (1 + tanh(u)) / 2 = sigmoid(2 u).
LANES Floats gelu_tanh(Floats x) {
    const Floats cubic = fused(multiply(x, x), splat(0.044715f), splat(1.0f));
    return multiply(x, sigmoid(multiply(multiply(x, splat(1.59576912f)), cubic)));
}

template <int count> LANES void apply(Activation activation, Floats *x) {
    switch (activation) {
        case Activation::gelu: return gelu<count>(x);
        case Activation::gelu_tanh: { // whose division is what takes long
            TIMES(n, count) { x[n] = gelu_tanh(x[n]); }
            return;
        }
        case Activation::relu: {
            TIMES(n, count) { x[n] = larger(x[n], zeros()); }
            return;
        }
        case Activation::tanh: {
            TIMES(n, count) {
                const Floats half = sigmoid(add(x[n], x[n]));
                x[n] = subtract(add(half, half), splat(1.0f));
            }
            return;
        }
        case Activation::none: return;
    }
}

LANES bool finite(float x) { return x - x == 0.0f; }

LANES Floats smoothed(const float *input, const float *smooth, int column) {
    const Floats x = load(input + column);
    return smooth ? multiply(x, load(smooth + column)) : x;
}

LANES void store_quantized(const float *input, const float *smooth, int columns, float scale,
                           float zero_point, uint8_t *bytes) {
    const Floats inverse = splat(1.0f / scale);
    const Floats offset = splat(zero_point);
    const Ints less = splat(int32_t(-128));
    for (int column = 0; column < columns; column += kLanes) {
        const Floats level = fused(smoothed(input, smooth, column), inverse, offset);
        // The same rounding everywhere; signed bytes are made of the rounded numbers.
        store_bytes(bytes + column, kUnsignedRows ? to_ints(level) : add(to_ints(level), less));
    }
}

// Where the values of a row lie, lane by lane; zero is always within.
struct Extent { Floats low, high; };

LANES void extend(Extent &extent, Floats x) {
    extent.low = smaller(extent.low, x);
    extent.high = larger(extent.high, x);
}

// By all of them: one link of the chain, however many there are.
template <int count> LANES void extend(Extent &extent, const Floats *x) {
    Extent all{x[0], x[0]};
    TIMES(n, count - 1) { extend(all, x[n + 1]); }
    extent = {smaller(extent.low, all.low), larger(extent.high, all.high)};
}

// Of a row times its factors.
LANES Extent extent_of(const float *input, const float *smooth, int columns) {
    Extent some[kChains];
    TIMES(n, kChains) { some[n] = {zeros(), zeros()}; }
    int column = 0;
    for (; column + kChains * kLanes <= columns; column += kChains * kLanes) {
        TIMES(n, kChains) { extend(some[n], smoothed(input, smooth, column + n * kLanes)); }
    }
    for (; column < columns; column += kLanes) {
        extend(some[0], smoothed(input, smooth, column));
    }
    TIMES(n, kChains) {
        some[0] = {smaller(some[0].low, some[n].low), larger(some[0].high, some[n].high)};
    }
    return some[0];
}

// Of lanes that are all alike.
LANES float first_lane(Floats x) {
    float first;
    __builtin_memcpy(&first, &x, sizeof first);
    return first;
}

// Rounds a row to 253 steps from its least to its largest value: levels around zero would leave
// nearly half of them to the side that reaches less far. Zero itself is a level, or what is near
// it, most of what leaves gelu, would all be wrong by the same amount. The least value's level is
// 1, give or take a half, so that no rounding leaves a byte. False where a value is not finite.
LANES bool quantize_row(const float *input, const float *smooth, int columns, Extent extent,
                        int row, const RowsI8 &output) {
    const float depth = largest(subtract(zeros(), extent.low)), height = largest(extent.high);
    const Floats share = multiply(splat(depth + height), splat(1.0f / 253));
    const float scale = first_lane(larger(share, splat(1e-12f)));
    const float zero_point = first_lane(nearest(splat(1.0f + depth / scale)));
    output.scales[row] = scale;
    output.centers[row] = (128.0f - zero_point) * scale;
    store_quantized(input, smooth, columns, scale, zero_point, output.bytes + row * output.stride);
    return finite(scale);
}

static void activate(float *values, ptrdiff_t stride, int rows, int columns, Activation activation,
                     bool gated) {
    for (int row = 0; row < rows; ++row, values += stride) {
        for (int column = 0; column < columns; column += kLanes) {
            Floats x = load(values + column);
            apply<1>(activation, &x);
            store(values + column, gated ? multiply(x, load(values + columns + column)) : x);
        }
    }
}

// Multiplies `count` vectors by a Walsh-Hadamard matrix, in log2(count) stages of sums and
// differences: of vectors that are 1, 2, 4, ... apart.
template <int count> LANES void mix(Floats *x) {
    if constexpr (count > 1) {
        constexpr int half = count / 2;
        mix<half>(x);
        mix<half>(x + half);
        TIMES(n, half) {
            const Floats a = x[n], b = x[n + half];
            x[n] = add(a, b);
            x[n + half] = subtract(a, b);
        }
    }
}

// Does so with each `count` vectors of a row that are `step` vectors apart: as many stages in one
// pass over the row. Returns where its values lie then.
template <int count> LANES Extent mix_apart(float *row, int columns, int step) {
    Extent extent{zeros(), zeros()};
    const int apart = step * kLanes;
    for (int block = 0; block < columns; block += count * apart) {
        for (int column = block; column < block + apart; column += kLanes) {
            Floats x[count];
            TIMES(n, count) { x[n] = load(row + column + n * apart); }
            mix<count>(x);
            TIMES(n, count) { store(row + column + n * apart, x[n]); }
            extend<count>(extent, x);
        }
    }
    return extent;
}

// Mixes each `points` whole vectors that follow one another, from the stage of vectors `step`
// apart: a value that stands out is shared by `points` columns. Weights are mixed in the same way
// when a model is exported, and `smooth` has the factor that keeps a row's length.
LANES Extent mix_row(float *row, int columns, int points, int step) {
    for (; points > 4 * step; step *= 4) {
        mix_apart<4>(row, columns, step);
    }
    return points > 2 * step ? mix_apart<4>(row, columns, step) : mix_apart<2>(row, columns, step);
}

// What a row to quantise is made of. Gates and smooth may be null.
struct Source { const float *input, *gates, *smooth; };

template <int count> LANES void multiply_by(const float *factors, Floats *x) {
    if (factors) {
        TIMES(n, count) { x[n] = multiply(x[n], load(factors + n * kLanes)); }
    }
}

template <Activation activation, int count>
LANES void make(const Source &source, int column, Floats *x) {
    TIMES(n, count) { x[n] = load(source.input + column + n * kLanes); }
    apply<count>(activation, x);
    multiply_by<count>(source.gates ? source.gates + column : nullptr, x);
    multiply_by<count>(source.smooth ? source.smooth + column : nullptr, x);
}

constexpr bool kFours = kChains > 1; // a vector is so few registers that they have room for four

// Makes a row, which, if it is to be `mixed`, is whole fours of vectors: each four are mixed while
// they are in registers. Returns where the values lay before that.
template <Activation activation>
LANES Extent make_row(const Source &source, int columns, bool mixed, float *output) {
    Extent extent{zeros(), zeros()};
    int column = 0;
    if (kFours) {
        for (; column + 4 * kLanes <= columns; column += 4 * kLanes) {
            Floats x[4];
            make<activation, 4>(source, column, x);
            extend<4>(extent, x);
            if (mixed) {
                mix<4>(x);
            }
            TIMES(n, 4) { store(output + column + n * kLanes, x[n]); }
        }
    }
    for (; column < columns; column += kLanes) {
        Floats x;
        make<activation, 1>(source, column, &x);
        extend(extent, x);
        store(output + column, x);
    }
    return extent;
}

// A row's extent is found by the last pass over it, so that the first one leaves something to do.
LANES bool mixed_at_first(int points) { return kFours && points > 4; }

// Does so with a row that make_row() made, and whose values it said lay there.
LANES bool mix_and_quantize(float *values, int columns, Extent extent, int points, int row,
                            const RowsI8 &output) {
    bool sound = true;
    if (points > 1) {
        sound = finite(largest(subtract(extent.high, extent.low))); // or sums may hide it
        extent = mix_row(values, columns, points, mixed_at_first(points) ? 4 : 1);
    }
    return sound & quantize_row(values, nullptr, columns, extent, row, output);
}

static bool quantize(const float *input, ptrdiff_t stride, int rows, int columns,
                     const float *smooth, int points, float *scratch, const RowsI8 &output) {
    bool sound = true;
    for (int row = 0; row < rows; ++row, input += stride) {
        if (points > 1) {
            const Extent extent = make_row<Activation::none>({input, nullptr, smooth}, columns,
                                                             mixed_at_first(points), scratch);
            sound &= mix_and_quantize(scratch, columns, extent, points, row, output);
        } else {
            sound &= quantize_row(input, smooth, columns, extent_of(input, smooth, columns), row,
                                  output);
        }
    }
    return sound;
}

static bool activate_quantize(float *values, ptrdiff_t stride, int rows, int columns,
                              Activation activation, bool gated, const float *smooth, int points,
                              const RowsI8 &output) {
    const bool mixed = mixed_at_first(points);
    bool sound = true;
    for (int row = 0; row < rows; ++row, values += stride) {
        const Source source{values, gated ? values + columns : nullptr, smooth};
        const Extent extent = activation == Activation::gelu
                                  ? make_row<Activation::gelu>(source, columns, mixed, values)
                              : activation == Activation::relu
                                  ? make_row<Activation::relu>(source, columns, mixed, values)
                                  : make_row<Activation::gelu_tanh>(source, columns, mixed, values);
        sound &= mix_and_quantize(values, columns, extent, points, row, output);
    }
    return sound;
}

constexpr int kNormRows = 4;

struct NormTask {
    ptrdiff_t stride, residual_stride;
    int columns;
    const Norm &norm;
};

// Some rows at once, since each of a row's two sums is a chain that has to be waited for.
template <int rows>
LANES bool norm_rows(const NormTask &task, float *values, const float *residual, float *output) {
    const int columns = task.columns;
    Floats totals[rows], squares[rows], means[rows], inverses[rows];
    TIMES(r, rows) { totals[r] = squares[r] = zeros(); }
    for (int column = 0; column < columns; column += kLanes) {
        TIMES(r, rows) {
            float *value = values + r * task.stride + column;
            Floats x = load(value);
            if (residual) {
                x = add(x, load(residual + r * task.residual_stride + column));
                store(value, x);
            }
            totals[r] = add(totals[r], x);
        }
    }
    TIMES(r, rows) { means[r] = splat(sum(totals[r]) / float(columns)); }
    for (int column = 0; column < columns; column += kLanes) {
        TIMES(r, rows) {
            const Floats x = subtract(load(values + r * task.stride + column), means[r]);
            squares[r] = fused(x, x, squares[r]);
        }
    }
    bool sound = true;
    TIMES(r, rows) {
        const float variance = sum(squares[r]) / float(columns);
        sound &= finite(variance);
        inverses[r] = splat(1.0f / __builtin_sqrtf(variance + task.norm.epsilon));
    }
    for (int column = 0; column < columns; column += kLanes) {
        const Floats weight = load(task.norm.weight + column), bias = load(task.norm.bias + column);
        TIMES(r, rows) {
            const ptrdiff_t at = r * task.stride + column;
            const Floats x = multiply(subtract(load(values + at), means[r]), inverses[r]);
            store(output + at, fused(x, weight, bias));
        }
    }
    return sound;
}

static bool norm(float *values, ptrdiff_t stride, const float *residual, ptrdiff_t residual_stride,
                 int rows, int columns, const Norm &norm, float *output) {
    const NormTask task{stride, residual_stride, columns, norm};
    bool sound = true;
    int row = 0;
    for (; row + kNormRows <= rows; row += kNormRows) {
        sound &= norm_rows<kNormRows>(task, values + row * stride, residual + row * residual_stride,
                                      output + row * stride);
    }
    for (; row < rows; ++row) {
        sound &= norm_rows<1>(task, values + row * stride, residual + row * residual_stride,
                              output + row * stride);
    }
    return sound;
}

// Products and sums are rounded one by one, so that what is left over needs no lanes.
LANES void rotate_head(float *head, int half, const float *cosines, const float *sines) {
    int i = 0;
    for (; i + kLanes <= half; i += kLanes) {
        const Floats x = load(head + i), y = load(head + half + i);
        const Floats cosine = load(cosines + i), sine = load(sines + i);
        store(head + i, subtract(multiply(x, cosine), multiply(y, sine)));
        store(head + half + i, add(multiply(y, cosine), multiply(x, sine)));
    }
    for (; i < half; ++i) {
        const float x = head[i], y = head[half + i];
        head[i] = x * cosines[i] - y * sines[i];
        head[half + i] = y * cosines[i] + x * sines[i];
    }
}

static void rotate(float *rows, ptrdiff_t stride, int count, int heads, int head_size,
                   const float *cosines, const float *sines) {
    const int half = head_size / 2;
    for (int row = 0; row < count; ++row, rows += stride, cosines += half, sines += half) {
        for (int head = 0; head < heads; ++head) {
            rotate_head(rows + head * head_size, half, cosines, sines);
        }
    }
}

static void widen_row(const int8_t *input, float scale, int columns, float *output) {
    for (int column = 0; column < columns; column += kLanes) {
        store(output + column, multiply(widen(input + column), splat(scale)));
    }
}

static void add_row(const float *input, int columns, float *output) {
    for (int column = 0; column < columns; column += kLanes) {
        store(output + column, add(load(output + column), load(input + column)));
    }
}

static float dot_rows(const float *left, const float *right, int columns) {
    Floats total = zeros();
    for (int column = 0; column < columns; column += kLanes) {
        total = fused(load(left + column), load(right + column), total);
    }
    return sum(total);
}
