// Arithmetic on rows, each by itself: quantisation, activation functions, norms. Written on sixteen
// lanes, so that every kernel compiles the same text to the same results.

#include "kernels/unrolled-inl.h"

// 2^x for -125 <= x <= 127, relative error 8e-8. The polynomial is a minimax fit on [-1/2, 1/2].
// Below -125 numbers would become subnormal, which some CPUs are slow at.
LANES Floats exp2_in_range(Floats x) {
    const Floats whole = nearest(x), part = subtract(x, whole);
    Floats y = splat(0x1.5c08d2p-10f);
    y = fused(y, part, splat(0x1.3d0c52p-7f));
    y = fused(y, part, splat(0x1.c6b6e6p-5f));
    y = fused(y, part, splat(0x1.ebf918p-3f));
    y = fused(y, part, splat(0x1.62e428p-1f));
    y = fused(y, part, splat(0x1.000002p+0f));
    return times_power_of_two(y, whole);
}
LANES Floats exp2(Floats x) { return exp2_in_range(larger(x, splat(-125.0f))); }

// x * Phi(x) = max(x, 0) - |x| * Q(|x|), Q being the upper tail of the normal distribution, whose
// logarithm is nearly a parabola: a minimax fit of degree 7 up to 6, behind which the tail is
// below 1e-8. The error is at most 3e-7, the last bit of the largest results.
LANES Floats gelu(Floats x) {
    const Floats size = magnitude(x);
    const Floats a = smaller(size, splat(6.0f));
    Floats y = splat(0x1.5c643cp-20f);
    y = fused(y, a, splat(0x1.4338c2p-16f));
    y = fused(y, a, splat(-0x1.752ca8p-11f));
    y = fused(y, a, splat(0x1.04e55p-7f));
    y = fused(y, a, splat(-0x1.b47ep-5f));
    y = fused(y, a, splat(-0x1.d5daeap-2f));
    y = fused(y, a, splat(-0x1.26b3f8p+0f));
    y = fused(y, a, splat(-0x1.ffff48p-1f));
    return fused_negative(size, exp2_in_range(y), larger(x, zeros()));
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

LANES Floats activated(Floats x, Activation activation) {
    switch (activation) {
        case Activation::gelu: return gelu(x);
        case Activation::gelu_tanh: return gelu_tanh(x);
        case Activation::relu: return larger(x, zeros());
        case Activation::tanh: {
            const Floats half = sigmoid(add(x, x));
            return subtract(add(half, half), splat(1.0f));
        }
        case Activation::none: break;
    }
    return x;
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

LANES Floats smoothed_and_kept(const float *input, const float *smooth, int column, float *output) {
    const Floats x = smoothed(input, smooth, column);
    if (output) {
        store(output + column, x);
    }
    return x;
}

// Of a row times its factors, which goes into `output` where that is not null.
LANES Extent extent_of(const float *input, const float *smooth, int columns, float *output) {
    Extent some[kChains];
    TIMES(n, kChains) { some[n] = {zeros(), zeros()}; }
    int column = 0;
    for (; column + kChains * kLanes <= columns; column += kChains * kLanes) {
        TIMES(n, kChains) {
            extend(some[n], smoothed_and_kept(input, smooth, column + n * kLanes, output));
        }
    }
    for (; column < columns; column += kLanes) {
        extend(some[0], smoothed_and_kept(input, smooth, column, output));
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
            const Floats x = activated(load(values + column), activation);
            store(values + column, gated ? multiply(x, load(values + columns + column)) : x);
        }
    }
}

// Sums and differences of whole vectors that are `step` vectors apart, and of what they give
// 2 * `step` apart: two stages of a Walsh-Hadamard transform in one pass over the row.
LANES void mix_four(float *row, int columns, int step) {
    const int apart = step * kLanes;
    for (int block = 0; block < columns; block += 4 * apart) {
        for (int column = block; column < block + apart; column += kLanes) {
            float *at = row + column;
            const Floats x0 = load(at), x1 = load(at + apart);
            const Floats x2 = load(at + 2 * apart), x3 = load(at + 3 * apart);
            const Floats a = add(x0, x1), b = subtract(x0, x1);
            const Floats c = add(x2, x3), d = subtract(x2, x3);
            store(at, add(a, c));
            store(at + apart, add(b, d));
            store(at + 2 * apart, subtract(a, c));
            store(at + 3 * apart, subtract(b, d));
        }
    }
}

// One stage.
LANES void mix_two(float *row, int columns, int step) {
    const int apart = step * kLanes;
    for (int block = 0; block < columns; block += 2 * apart) {
        for (int column = block; column < block + apart; column += kLanes) {
            float *at = row + column;
            const Floats x = load(at), y = load(at + apart);
            store(at, add(x, y));
            store(at + apart, subtract(x, y));
        }
    }
}

// Multiplies each `points` whole vectors that follow one another by a Walsh-Hadamard matrix: a
// value that stands out is shared by `points` columns. Weights are mixed in the same way when a
// model is exported, and `smooth` has the factor that keeps a row's length.
LANES Extent mix_row(float *row, int columns, int points) {
    int step = 1;
    for (; 4 * step <= points; step *= 4) {
        mix_four(row, columns, step);
    }
    if (step < points) {
        mix_two(row, columns, step);
    }
    return extent_of(row, nullptr, columns, nullptr);
}

static bool quantize(const float *input, ptrdiff_t stride, int rows, int columns,
                     const float *smooth, int points, float *scratch, const RowsI8 &output) {
    bool sound = true;
    for (int row = 0; row < rows; ++row, input += stride) {
        if (points > 1) {
            const Extent extent = extent_of(input, smooth, columns, scratch);
            sound &= finite(largest(subtract(extent.high, extent.low))); // or sums may hide it
            sound &= quantize_row(scratch, nullptr, columns, mix_row(scratch, columns, points), row,
                                  output);
        } else {
            sound &= quantize_row(input, smooth, columns,
                                  extent_of(input, smooth, columns, nullptr), row, output);
        }
    }
    return sound;
}

template <Activation activation>
LANES Extent activate_row(float *values, int columns, bool gated, const float *smooth) {
    Extent extent{zeros(), zeros()};
    for (int column = 0; column < columns; column += kLanes) {
        Floats x = activated(load(values + column), activation);
        x = gated ? multiply(x, load(values + columns + column)) : x;
        x = smooth ? multiply(x, load(smooth + column)) : x;
        store(values + column, x);
        extend(extent, x);
    }
    return extent;
}

static bool activate_quantize(float *values, ptrdiff_t stride, int rows, int columns,
                              Activation activation, bool gated, const float *smooth, int points,
                              const RowsI8 &output) {
    bool sound = true;
    for (int row = 0; row < rows; ++row, values += stride) {
        Extent extent = activation == Activation::gelu
                            ? activate_row<Activation::gelu>(values, columns, gated, smooth)
                        : activation == Activation::relu
                            ? activate_row<Activation::relu>(values, columns, gated, smooth)
                            : activate_row<Activation::gelu_tanh>(values, columns, gated, smooth);
        if (points > 1) {
            sound &= finite(largest(subtract(extent.high, extent.low))); // or sums may hide it
            extent = mix_row(values, columns, points);
        }
        sound &= quantize_row(values, nullptr, columns, extent, row, output);
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
