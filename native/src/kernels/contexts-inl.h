// Contexts of attention: weights times values. In an fp32 model both are floats; in an int8 model
// both are whole numbers, whose sums are exact, and floats again when they have been added up.

// Where a tile's contexts go: rows of `columns` numbers, the first of which is a group's.
struct Contexts {
    float *output;
    ptrdiff_t stride;
    int columns;
};

LANES Floats load_some(const float *from, int count) {
    if (count >= kLanes) {
        return load(from);
    }
    float lanes[kLanes] = {};
    __builtin_memcpy(lanes, from, sizeof(float) * size_t(count));
    return load(lanes);
}
LANES void store_some(float *to, int count, Floats x) {
    if (count >= kLanes) {
        store(to, x);
        return;
    }
    float lanes[kLanes];
    store(lanes, x);
    __builtin_memcpy(to, lanes, sizeof(float) * size_t(count));
}

// Some rows' weights, and what their sums are multiplied by.
struct Weights {
    const float *rows;
    ptrdiff_t stride;
    const float *factors;
};

// weights * values * factors, for one tile of rows.
template <int rows, int groups>
LANES void weigh(const KeysF32 &keys, const Weights &weights, int row, const float *values,
                 int value_stride, const Contexts &contexts) {
    Floats sums[rows][groups];
    TIMES(r, rows) {
        TIMES(g, groups) { sums[r][g] = zeros(); }
    }
    multiply_f32<rows, groups>(weights.rows + row * weights.stride, weights.stride, values,
                               value_stride, kLanes, keys.count, sums);
    TIMES(r, rows) {
        TIMES(g, groups) {
            store_some(contexts.output + (row + r) * contexts.stride + g * kLanes,
                       contexts.columns - g * kLanes,
                       multiply(sums[r][g], splat(weights.factors[row + r])));
        }
    }
}

template <int groups>
static void weigh_rows(const KeysF32 &keys, const Weights &weights, int rows, const float *values,
                       int value_stride, const Contexts &contexts) {
#define TILE(n) weigh<n, groups>(keys, weights, row, values, value_stride, contexts)
    EACH_TILE(kFloatRows, rows, TILE)
#undef TILE
}

// Calls weigh(groups, group, contexts) for all groups of a head's columns, as many as possible at
// once.
template <int count_> struct Groups { static constexpr int count = count_; };
template <typename Weigh> LANES void each_group(const Attend &task, float *output, Weigh weigh) {
    const int groups = (task.head_size + kLanes - 1) / kLanes;
    int group = 0;
    const auto contexts = [&] {
        return Contexts{output + group * kLanes, task.output_stride,
                        task.head_size - group * kLanes};
    };
    for (; group + kGroups <= groups; group += kGroups) {
        weigh(Groups<kGroups>(), group, contexts());
    }
    for (; group < groups; ++group) {
        weigh(Groups<1>(), group, contexts());
    }
}

static void contexts_f32(const AttendF32 &task, const Weights &weights, int rows, float *output) {
    const int stride = (task.head_size + kLanes - 1) / kLanes * kLanes;
    each_group(task, output, [&](auto groups, int group, const Contexts &contexts) {
        weigh_rows<groups.count>(task.keys, weights, rows, task.keys.values + group * kLanes,
                                 stride, contexts);
    });
}

// Keys whose weighted values are added up exactly, in whole numbers; floats are added after that.
// Where they begin depends on positions in the pair alone, so that it is the same for every row.
struct Part {
    int begin, end;
    bool first, last;
};

// What the sums of a part of the keys add to a row's context.
LANES void add_context(const Part &part, Ints sums, float factor, float *output, int count) {
    Floats total = to_floats(sums);
    total = part.first ? total : add(load_some(output, count), total);
    store_some(output, count, part.last ? multiply(total, splat(factor)) : total);
}

template <int rows, int groups>
LANES void weigh(const Part &part, const Weights &weights, int row, const int8_t *values,
                 ptrdiff_t group_stride, const Contexts &contexts) {
    Ints sums[rows][groups];
    TIMES(r, rows) {
        TIMES(g, groups) { sums[r][g] = no_ints(); }
    }
    multiply_values<rows, groups>(weights.rows + row * weights.stride, weights.stride, values,
                                  group_stride, part.begin, part.end, sums);
    TIMES(r, rows) {
        TIMES(g, groups) {
            add_context(part, sums[r][g], weights.factors[row + r],
                        contexts.output + (row + r) * contexts.stride + g * kLanes,
                        contexts.columns - g * kLanes);
        }
    }
}

template <int groups>
static void weigh_rows(const Part &part, const Weights &weights, int rows, const int8_t *values,
                       ptrdiff_t group_stride, const Contexts &contexts){
#define TILE(n) weigh<n, groups>(part, weights, row, values, group_stride, contexts)
    EACH_TILE(kRows, rows, TILE)
#undef TILE
}

// From one group of columns to the next of a head's values.
LANES ptrdiff_t value_stride(const KeysI8 &keys) {
    return ptrdiff_t(kLanes) * kValueBytes * keys.stride;
}

static void weigh_part(const AttendI8 &task, const Part &part, const Weights &weights, int rows,
                       float *output) {
    const ptrdiff_t stride = value_stride(task.keys);
    each_group(task, output, [&](auto groups, int group, const Contexts &contexts) {
        weigh_rows<groups.count>(part, weights, rows, task.keys.values + group * stride, stride,
                                 contexts);
    });
}

// Calls weigh(part) for all parts of the keys, of which `first` is the position of the first one.
template <typename Weigh> LANES void each_part(int first, int padded, Weigh weigh) {
    for (int key = 0; key < padded;) {
        const int next = (first + key) / kExactKeys * kExactKeys + kExactKeys - first;
        const int end = next < padded ? next : padded;
        weigh(Part{key, end, key == 0, end == padded});
        key = end;
    }
}

// Finds out by how much the keys' weights are to be multiplied before they are rounded, and returns
// what then stands for 1: all of the pair's keys share one unit, that of the largest value.
LANES float begin_values(const AttendI8 &task) {
    const KeysI8 &keys = task.keys;
    const int last = keys.padded - kLanes;
    const auto scales = [&](int key) {
        const Floats some = load(keys.value_scales + key);
        return key == last ? first_lanes(some, keys.count - last, zeros()) : some;
    };
    Floats peaks = zeros();
    for (int key = 0; key < keys.padded; key += kLanes) {
        peaks = larger(peaks, scales(key));
    }
    const float peak = largest(peaks);
    const Floats levels = splat(float(kMostLevel) / peak);
    for (int key = 0; key < keys.padded; key += kLanes) {
        store(keys.value_factors + key, multiply(scales(key), levels));
    }
    return peak / float(kMostLevel);
}
LANES float begin_values(const AttendF32 &) { return 1.0f; }

// Weights become whole numbers, and then contexts; `weigh_part` is the kernel's way.
template <typename WeighPart>
LANES void weigh_levels(const AttendI8 &task, const Weights &weights, int rows, float *output,
                        WeighPart weigh_part) {
    for (int row = 0; row < rows; ++row) {
        pack_weights(task.scratch + row * weights.stride, task.keys.padded,
                     task.keys.value_factors);
    }
    each_part(task.keys.first, task.keys.padded,
              [&](const Part &part) { weigh_part(task, part, weights, rows, output); });
}

static void contexts_i8(const AttendI8 &task, const Weights &weights, int rows, float *output) {
    weigh_levels(task, weights, rows, output, weigh_part);
}
