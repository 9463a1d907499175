// Heads of queries, keys and values as whole numbers, stored where attention reads them.

// One head's values, padded with zeros to whole groups of lanes: the values themselves, or a copy.
LANES const float *padded_head(const float *values, int size, int columns, float *copy) {
    if (size == columns) {
        return values;
    }
    for (int i = 0; i < columns; ++i) {
        copy[i] = i < size ? values[i] : 0.0f;
    }
    return copy;
}

LANES float head_scale(const float *values, int columns) {
    Floats peaks = zeros();
    for (int column = 0; column < columns; column += kLanes) {
        peaks = larger(peaks, magnitude(load(values + column)));
    }
    return largest(larger(multiply(peaks, splat(1.0f / 127)), splat(1e-12f)));
}

static bool query_head_i8(const float *query, int size, float factor, uint8_t *bytes,
                          float *scale) {
    float copy[kMostHead];
    uint8_t levels[kMostHead];
    const int columns = (size + kLanes - 1) / kLanes * kLanes;
    const float *values = padded_head(query, size, columns, copy);
    const float step = head_scale(values, columns);
    store_quantized(values, nullptr, columns, step, 128.0f, size == columns ? bytes : levels);
    if (size != columns) {
        __builtin_memcpy(bytes, levels, size_t(size));
    }
    *scale = step * factor;
    return finite(step);
}

// Quantises one head of one key or value; gives its scale, and where a key's sums begin.
LANES float quantize_head(const float *key, int size, uint8_t *bytes, int32_t *start) {
    float copy[kMostHead];
    const int columns = (size + kLanes - 1) / kLanes * kLanes;
    const float *values = padded_head(key, size, columns, copy);
    const float scale = head_scale(values, columns);
    const Floats inverse = splat(1.0f / scale);
    Ints total = no_ints();
    for (int column = 0; column < columns; column += kLanes) {
        const Ints level = to_ints(multiply(load(values + column), inverse));
        total = add(total, level);
        store_bytes(bytes + column, level);
    }
    if (start) { // whole numbers below 2^24: the sum in floats is exact
        *start = -128 * int32_t(finite(scale) ? sum(to_floats(total)) : 0.0f);
    }
    return scale;
}

// Sixteen keys at a time, whose quads lie side by side.
static bool store_keys_i8(const float *keys, ptrdiff_t stride, int count, int size,
                          const KeysOut &output) {
    uint8_t bytes[kLanes][kMostHead];
    bool sound = true;
    for (int first = 0; first < count; first += kLanes) {
        const int some = count - first < kLanes ? count - first : kLanes;
        for (int key = 0; key < some; ++key) {
            const float scale = quantize_head(keys + (first + key) * stride, size, bytes[key],
                                              output.start + first + key);
            output.scales[first + key] = scale;
            sound &= finite(scale);
        }
        int8_t *quads = output.quads + 4 * first;
        for (int i = 0; i < size; i += 4, quads += output.stride) {
            for (int key = 0; key < some; ++key) {
                __builtin_memcpy(quads + 4 * key, bytes[key] + i, 4);
            }
        }
    }
    return sound;
}

// Sixteen keys at a time.
static bool store_values_i8(const float *values, ptrdiff_t stride, int count, int size,
                            const ValuesOut &output) {
    int8_t bytes[kLanes][kMostHead];
    const int columns = (size + kLanes - 1) / kLanes * kLanes;
    const ptrdiff_t group_stride = ptrdiff_t(kLanes) * kValueBytes * output.padded;
    bool sound = true;
    for (int begin = 0; begin < count; begin += kLanes) {
        const int some = count - begin < kLanes ? count - begin : kLanes;
        for (int key = 0; key < some; ++key) {
            const float scale = quantize_head(values + (begin + key) * stride, size,
                                              (uint8_t *)bytes[key], nullptr);
            output.scales[begin + key] = scale;
            sound &= finite(scale);
        }
        for (int column = 0; column < columns; column += kLanes) {
            place_values(bytes, column, output.first + begin, some,
                         output.values + column / kLanes * group_stride);
        }
    }
    return sound;
}
