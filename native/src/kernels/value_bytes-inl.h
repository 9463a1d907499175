// Weights times values in whole numbers, by products of bytes. Values lie as the weights of a
// linear product do, with keys for inputs: the bytes of four keys side by side. A weight of 14 bits
// is two bytes of 7, which are as good signed as unsigned.

constexpr int kValueBytes = 1;
static_assert(kBlockKeys == 4 * kLanes);

// Where a kernel has no way of its own.
template <typename Some>
LANES void store_split(uint8_t *high, uint8_t *low, const Some (&levels)[4]) {
    TIMES(n, 4) {
        store_bytes(high + n * kLanes, high_bits(levels[n]));
        store_bytes(low + n * kLanes, low_bits(levels[n]));
    }
}

// In place of the weights of 64 keys: their high bytes, then their low ones, with zeros behind the
// last key.
LANES void pack_weights(float *row, int padded, const float *factors) {
    uint8_t *bytes = (uint8_t *)row;
    for (int key = 0; key < padded; key += kBlockKeys, bytes += 2 * kBlockKeys) {
        Ints levels[4];
        TIMES(n, 4) {
            const int at = key + n * kLanes;
            levels[n] =
                at < padded ? to_ints(multiply(load(row + at), load(factors + at))) : no_ints();
        }
        store_split(bytes, bytes + kBlockKeys, levels);
    }
}

template <int rows, int groups>
LANES void multiply_part(const uint8_t *weights, ptrdiff_t stride, const int8_t *values,
                         ptrdiff_t group_stride, int begin, int end, Ints (&sums)[rows][groups]) {
    for (int key = begin; key < end;) {
        const int block = key / kBlockKeys * kBlockKeys;
        const int next = end < block + kBlockKeys ? end : block + kBlockKeys;
        multiply_i8<rows, groups>(weights + block + key, stride, values + kLanes * ptrdiff_t(key),
                                  group_stride, (next - key) / 4, sums);
        key = next;
    }
}

// Exact sums over the keys from `begin` to `end`, whole groups of them.
template <int rows, int groups>
LANES void multiply_values(const float *weights, ptrdiff_t stride, const int8_t *values,
                           ptrdiff_t group_stride, int begin, int end, Ints (&sums)[rows][groups]) {
    const uint8_t *bytes = (const uint8_t *)weights;
    const ptrdiff_t row_stride = stride * ptrdiff_t(sizeof(float));
    multiply_part(bytes, row_stride, values, group_stride, begin, end, sums);
    TIMES(r, rows) {
        TIMES(g, groups) { sums[r][g] = moved_up(sums[r][g]); }
    }
    multiply_part(bytes + kBlockKeys, row_stride, values, group_stride, begin, end, sums);
}

// Puts the bytes of sixteen columns of some keys where multiply_values() reads them.
LANES void place_values(const int8_t (*bytes)[kMostHead], int column, int first, int count,
                        int8_t *group) {
    for (int key = 0; key < count;) {
        const int place = (first + key) % 4, some = place == 0 && key + 4 <= count ? 4 : 1;
        int8_t *__restrict to = group + kLanes * ptrdiff_t(first + key - place) + place;
        const int8_t *from = bytes[key] + column;
        if (some == 4) {
            for (int i = 0; i < kLanes; ++i) {
                to[4 * i] = from[i];
                to[4 * i + 1] = from[kMostHead + i];
                to[4 * i + 2] = from[2 * kMostHead + i];
                to[4 * i + 3] = from[3 * kMostHead + i];
            }
        } else {
            for (int i = 0; i < kLanes; ++i) {
                to[4 * i] = from[i];
            }
        }
        key += some;
    }
}
