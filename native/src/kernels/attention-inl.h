// Disentangled attention (He et al., 2021) of one head: content, content-to-position and
// position-to-content scores together, softmax, weighted sum of the values (contexts-inl.h).
//
// With the relative tables in the order of the distance, the columns that query i needs for keys
// j, j + 1, ... lie side by side, and both relative terms are computed as the content term is: for
// c2p the query meets the table, for p2c each key meets its own column of the table.

// One or two rows of scores, for some groups of 16 keys. The second row's columns of a table lie
// one to the left of the first row's: they are made of those by a shift, because every load that
// is not aligned takes two turns.
template <int rows, int groups, bool c2p, bool p2c>
LANES void scores_i8(const AttendI8 &task, int row, int key, float *scores) {
    Ints content[rows][groups], by_query[rows][groups], by_key[rows][groups];
    const int8_t *keys = task.keys.quads + 4 * ptrdiff_t(key);
    const ptrdiff_t key_stride = 4 * task.keys.stride;
    const ptrdiff_t column = ptrdiff_t(task.middle) - task.first - row + key;
    TIMES(r, rows) {
        TIMES(g, groups) {
            // With unsigned rows, the sums begin at what takes their offset out again.
            const Ints start = kUnsignedRows ? load(task.keys.start + key + g * kLanes) : no_ints();
            content[r][g] = by_key[r][g] = start;
            by_query[r][g] =
                kUnsignedRows && c2p ? load(task.c2p.start + column - r + g * kLanes) : no_ints();
        }
    }
    const uint8_t *queries = task.queries + row * task.query_stride;
    const int8_t *c2p_table = c2p ? task.c2p.table + 4 * column : nullptr;
    const int8_t *p2c_table = p2c ? task.p2c.table + 4 * column : nullptr;
    for (int quad = 0; quad < task.head_size / 4; ++quad) {
        Quads query[rows], c2p_before{}, p2c_before{};
        TIMES(r, rows) { query[r] = splat_quad(queries + r * task.query_stride + 4 * quad); }
        if constexpr (rows == 2) { // the column that row 1 needs to the left of row 0's
            if constexpr (c2p) {
                c2p_before = load_quads(c2p_table - 4 * kLanes);
            }
            if constexpr (p2c) {
                p2c_before = load_quads(p2c_table - 4 * kLanes);
            }
        }
        TIMES(g, groups) {
            const Quads some = load_quads(keys + 4 * g * kLanes);
            TIMES(r, rows) { content[r][g] = dot(content[r][g], query[r], some); }
            if constexpr (c2p) {
                const Quads columns = load_quads(c2p_table + 4 * g * kLanes);
                by_query[0][g] = dot(by_query[0][g], query[0], columns);
                if constexpr (rows == 2) {
                    by_query[1][g] = dot(by_query[1][g], query[1], shifted(c2p_before, columns));
                    c2p_before = columns;
                }
            }
            if constexpr (p2c) {
                const Quads columns = load_quads(p2c_table + 4 * g * kLanes);
                by_key[0][g] = dot(by_key[0][g], columns, some);
                if constexpr (rows == 2) {
                    by_key[1][g] = dot(by_key[1][g], shifted(p2c_before, columns), some);
                    p2c_before = columns;
                }
            }
        }
        keys += key_stride;
        c2p_table += c2p ? task.c2p.stride : 0;
        p2c_table += p2c ? task.p2c.stride : 0;
    }
    TIMES(g, groups) {
        const Floats key_scale = load(task.keys.scales + key + g * kLanes);
        const Floats key_factor = multiply(key_scale, splat(task.key_factor));
        TIMES(r, rows) {
            const Floats query_scale = splat(task.query_scales[(row + r) * task.scale_stride]);
            const ptrdiff_t at = column - r + g * kLanes;
            Floats score = multiply(to_floats(content[r][g]), multiply(query_scale, key_scale));
            if constexpr (c2p) {
                const Floats factor = multiply(query_scale, load(task.c2p.scales + at));
                score = fused(to_floats(by_query[r][g]), factor, score);
            }
            if constexpr (p2c) {
                const Floats factor = multiply(key_factor, load(task.p2c.scales + at));
                score = fused(to_floats(by_key[r][g]), factor, score);
            }
            store(scores + r * score_stride(task.keys.padded) + key + g * kLanes, score);
        }
    }
}

template <int rows, int groups, bool c2p, bool p2c>
LANES void scores_f32(const AttendF32 &task, int row, int key, float *scores) {
    Floats sums[rows][groups];
    TIMES(r, rows) {
        TIMES(g, groups) { sums[r][g] = zeros(); }
    }
    const float *keys = task.keys.columns + key;
    const ptrdiff_t column = ptrdiff_t(task.middle) - task.first - row + key;
    const float *queries = task.queries + row * task.query_stride;
    const float *c2p_table = c2p ? task.c2p.table + column : nullptr;
    const float *p2c_table = p2c ? task.p2c.table + column : nullptr;
    for (int i = 0; i < task.head_size; ++i) {
        Floats some[groups];
        TIMES(g, groups) { some[g] = load(keys + g * kLanes); }
        TIMES(r, rows) {
            const Floats query = splat(queries[r * task.query_stride + i]);
            TIMES(g, groups) {
                sums[r][g] = fused(query, some[g], sums[r][g]);
                const ptrdiff_t at = g * kLanes - r;
                if constexpr (c2p) {
                    sums[r][g] = fused(query, load(c2p_table + at), sums[r][g]);
                }
                if constexpr (p2c) {
                    const Floats scaled = multiply(some[g], splat(task.key_factor));
                    sums[r][g] = fused(scaled, load(p2c_table + at), sums[r][g]);
                }
            }
        }
        keys += task.keys.stride;
        c2p_table += c2p ? task.c2p.stride : 0;
        p2c_table += p2c ? task.p2c.stride : 0;
    }
    TIMES(r, rows) {
        TIMES(g, groups) {
            store(scores + r * score_stride(task.keys.padded) + key + g * kLanes, sums[r][g]);
        }
    }
}

// Turns rows of scores into weights that still are to be divided by the sums they give: some rows
// at once, since each of a row's peak and sum is a chain that has to be waited for. Lanes behind
// the last key get a weight that no sum feels, and no value.
template <int rows> LANES void softmax_rows(float *scores, int count, int padded, float *sums) {
    const Floats lowest = splat(-1e30f);
    const int last = padded - kLanes;
    const ptrdiff_t stride = score_stride(padded);
    Floats peaks[rows], totals[rows];
    TIMES(r, rows) {
        float *behind = scores + r * stride + last;
        store(behind, first_lanes(load(behind), count - last, lowest));
        peaks[r] = lowest;
        totals[r] = zeros();
    }
    for (int key = 0; key < padded; key += kLanes) {
        TIMES(r, rows) { peaks[r] = larger(peaks[r], load(scores + r * stride + key)); }
    }
    TIMES(r, rows) { peaks[r] = splat(largest(peaks[r])); }
    for (int key = 0; key < padded; key += kLanes) {
        TIMES(r, rows) {
            float *at = scores + r * stride + key;
            const Floats weight = exp2(subtract(load(at), peaks[r]));
            store(at, weight);
            totals[r] = add(totals[r], weight);
        }
    }
    TIMES(r, rows) { sums[r] = sum(totals[r]); }
}

// The same for a query that sees the keys from `begin` to `end` (not included) alone. The others
// get the weight 0: adding nothing leaves every sum as it is, so that a row's result does not
// depend on which keys its tile holds.
LANES float softmax_near(float *scores, int begin, int end, int padded) {
    const int from = begin / kLanes * kLanes, to = (end + kLanes - 1) / kLanes * kLanes;
    for (int key = 0; key < from; key += kLanes) {
        store(scores + key, zeros());
    }
    for (int key = to; key < padded; key += kLanes) {
        store(scores + key, zeros());
    }
    const Floats lowest = splat(-1e30f), none = zeros();
    const int last = to - kLanes;
    store(scores + from, first_lanes(lowest, begin - from, load(scores + from)));
    store(scores + last, first_lanes(load(scores + last), end - last, lowest));
    Floats peaks = lowest;
    for (int key = from; key < to; key += kLanes) {
        peaks = larger(peaks, load(scores + key));
    }
    const Floats peak = splat(largest(peaks));
    Floats total = zeros();
    for (int key = from; key < to; key += kLanes) {
        Floats weight = exp2(subtract(load(scores + key), peak));
        weight = key == from ? first_lanes(none, begin - from, weight) : weight;
        weight = key == last ? first_lanes(weight, end - last, none) : weight;
        store(scores + key, weight);
        total = add(total, weight);
    }
    return sum(total);
}

template <int rows, int groups, bool c2p, bool p2c>
LANES void scores(const AttendI8 &task, int row, int key, float *to) {
    scores_i8<rows, groups, c2p, p2c>(task, row, key, to);
}
template <int rows, int groups, bool c2p, bool p2c>
LANES void scores(const AttendF32 &task, int row, int key, float *to) {
    scores_f32<rows, groups, c2p, p2c>(task, row, key, to);
}

// One strip of keys for all rows of a tile: the columns of the tables that the rows need for these
// keys are nearly the same and stay in the first cache.
template <bool c2p, bool p2c, int groups, typename Task>
static void score_strip(const Task &task, int first, int rows, int key) {
    const ptrdiff_t stride = score_stride(task.keys.padded);
    int row = 0;
    for (; row + kScoreRows <= rows; row += kScoreRows) {
        scores<kScoreRows, groups, c2p, p2c>(task, first + row, key, task.scratch + row * stride);
    }
    for (; row < rows; ++row) {
        scores<1, groups, c2p, p2c>(task, first + row, key, task.scratch + row * stride);
    }
}

// The scores of some rows, in strips of up to kScoreGroups groups that are about equally wide: in
// a narrow strip the sums are too few to keep the units busy.
template <bool c2p, bool p2c, typename Task>
static void score_tile(const Task &task, int first, int rows) {
    int key = 0;
    for (int left = task.keys.padded / kLanes; left > 0;) {
        const int strips = (left + kScoreGroups - 1) / kScoreGroups;
        const int groups = (left + strips - 1) / strips;
        if constexpr (kScoreGroups >= 4) {
            switch (groups) {
                case 4: score_strip<c2p, p2c, 4>(task, first, rows, key); break;
                case 3: score_strip<c2p, p2c, 3>(task, first, rows, key); break;
                case 2: score_strip<c2p, p2c, 2>(task, first, rows, key); break;
                default: score_strip<c2p, p2c, 1>(task, first, rows, key); break;
            }
        } else {
            score_strip<c2p, p2c, 1>(task, first, rows, key);
        }
        key += groups * kLanes;
        left -= groups;
    }
}

LANES void skip_keys(KeysI8 &keys, int count, int) {
    keys.first += count;
    keys.quads += 4 * count;
    keys.scales += count;
    keys.start += count;
    keys.values += ptrdiff_t(kLanes) * kValueBytes * count;
    keys.value_factors += count;
}
LANES void skip_keys(KeysF32 &keys, int count, int head_size) {
    keys.columns += count;
    keys.values += ptrdiff_t(count) * ((head_size + kLanes - 1) / kLanes * kLanes);
}

// The task of some rows with the keys that one of them sees, from a whole group on.
template <typename Task> LANES Task nearby(const Task &task, int first, int rows) {
    const int position = task.first + first, before = position - task.reach;
    const int behind = position + rows + task.reach;
    const int begin = before > 0 ? before / kLanes * kLanes : 0;
    const int end = behind < task.keys.count ? behind : task.keys.count;
    Task some = task;
    some.first -= begin;
    some.keys.count = end - begin;
    some.keys.padded = (some.keys.count + kLanes - 1) / kLanes * kLanes;
    skip_keys(some.keys, begin, task.head_size);
    return some;
}

// The weights of a tile's rows, in place of their scores, and their sums.
template <typename Task> LANES void softmax(const Task &task, int first, int rows, float *sums) {
    const int count = task.keys.count, padded = task.keys.padded;
    const ptrdiff_t stride = score_stride(padded);
    float *scores = task.scratch;
    if (task.reach) {
        for (int row = 0; row < rows; ++row) {
            const int position = task.first + first + row;
            const int begin = position - task.reach, end = position + task.reach + 1;
            sums[row] = softmax_near(scores + row * stride, begin > 0 ? begin : 0,
                                     end < count ? end : count, padded);
        }
        return;
    }
    int row = 0;
    for (; row + kChains <= rows; row += kChains) {
        softmax_rows<kChains>(scores + row * stride, count, padded, sums + row);
    }
    for (; row < rows; ++row) {
        softmax_rows<1>(scores + row * stride, count, padded, sums + row);
    }
}

// Calls score(terms) with the relative terms that a task has.
template <bool c2p_, bool p2c_> struct Terms { static constexpr bool c2p = c2p_, p2c = p2c_; };
template <typename Task, typename Score> LANES void by_terms(const Task &task, Score score) {
    if (task.c2p.table && task.p2c.table) {
        score(Terms<true, true>());
    } else if (task.c2p.table) {
        score(Terms<true, false>());
    } else if (task.p2c.table) {
        score(Terms<false, true>());
    } else {
        score(Terms<false, false>());
    }
}

template <typename Task> static void score_rows(const Task &task, int first, int rows) {
    by_terms(task, [&](auto terms) { score_tile<terms.c2p, terms.p2c>(task, first, rows); });
}

// From the scores of a tile's rows to their contexts.
template <typename Task, typename MakeContexts>
static bool weigh_tile(const Task &task, int first, int rows, float unit, MakeContexts contexts) {
    bool sound = true;
    float factors[kScoreTile];
    softmax(task, first, rows, factors);
    for (int row = 0; row < rows; ++row) {
        sound &= finite(factors[row]);
        factors[row] = unit / factors[row];
    }
    contexts(task, Weights{task.scratch, score_stride(task.keys.padded), factors}, rows,
             task.output + first * task.output_stride);
    return sound;
}

// `score` gives the scores of some rows, `contexts` makes contexts of their weights.
template <typename Task, typename Score, typename MakeContexts>
static bool attend(const Task &task, Score score, MakeContexts contexts) {
    bool sound = true;
    const float unit = begin_values(task);
    for (int first = 0; first < task.rows; first += kScoreTile) {
        const int rows = task.rows - first < kScoreTile ? task.rows - first : kScoreTile;
        const Task some = task.reach ? nearby(task, first, rows) : task;
        score(some, first, rows);
        sound &= weigh_tile(some, first, rows, unit, contexts);
    }
    return sound;
}

static bool attend_i8(const AttendI8 &task) {
    return attend(task, score_rows<AttendI8>, contexts_i8);
}
static bool attend_f32(const AttendF32 &task) {
    return attend(task, score_rows<AttendF32>, contexts_f32);
}
