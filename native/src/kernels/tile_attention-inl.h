// Attention on matrix tiles. Its scores, for heads whose inputs fill a tile's row: sixteen queries
// meet sixteen keys at a time; their distances are the 31 columns of a table from `column` on:
// query i and key j that of column + 15 - i + j.

constexpr int kTileHead = kTileInputs;
constexpr int kTileScores = kTileRows * kLanes;

// The sums of sixteen queries and sixteen keys.
struct ScoreSums {
    alignas(64) int32_t content[kTileScores];      // [query, key]
    alignas(64) int32_t by_query[2 * kTileScores]; // [query, distance]
    alignas(64) int32_t by_key[2 * kTileScores];   // [distance, key]
};

struct ScoreTask {
    const AttendI8 &task;
    const uint8_t *queries; // the first one's bytes
    ptrdiff_t query_stride;
    const float *query_scales;
    int rows;         // how many queries there are
    ptrdiff_t column; // of the last of sixteen queries and the first key
};

// Row 15 - i is what query i has: lane j of row 15 - i + j. A lane whose number has a bit moves up
// by as many rows, one bit after the other.
LANES void straighten(const int32_t *by_key, Ints start, float *rows) {
    Ints eight[kTileRows + 7], four[kTileRows + 3], two[kTileRows + 1];
    TIMES(r, kTileRows + 7) {
        eight[r] = with_lanes<8>(load(by_key + r * kLanes), load(by_key + (r + 8) * kLanes));
    }
    TIMES(r, kTileRows + 3) { four[r] = with_lanes<4>(eight[r], eight[r + 4]); }
    TIMES(r, kTileRows + 1) { two[r] = with_lanes<2>(four[r], four[r + 2]); }
    TIMES(r, kTileRows) {
        const Ints sum = add(start, with_lanes<1>(two[r], two[r + 1]));
        store(rows + r * kLanes, to_floats(sum));
    }
}

// What turns the sums of a group of keys into scores, while the next group is multiplied.
struct FinishScores {
    Ints start;
    Floats key_scale, key_factor;
    ptrdiff_t column; // of the last of sixteen queries and the group's first key
    const ScoreSums *sums;
    float *output;
    int rows;                              // none: nothing is left to do
    alignas(64) float by_key[kTileScores]; // of the last query first
};

template <bool p2c>
LANES void begin_finish(const ScoreTask &scores, const ScoreSums &sums, int key, float *output,
                        FinishScores &finish) {
    const AttendI8 &task = scores.task;
    finish.start = load(task.keys.start + key);
    finish.key_scale = load(task.keys.scales + key);
    finish.key_factor = multiply(finish.key_scale, splat(task.key_factor));
    finish.column = scores.column + key;
    finish.sums = &sums;
    finish.output = output + key;
    finish.rows = scores.rows;
    if constexpr (p2c) {
        straighten(sums.by_key, finish.start, finish.by_key);
    }
}

// The scores of the queries from `from` to `to`, as far as there are; the same arithmetic as in
// scores_i8.
template <bool c2p, bool p2c>
LANES void finish_queries(const ScoreTask &scores, const FinishScores &finish, int from, int to) {
    const AttendI8 &task = scores.task;
    const int end = to < finish.rows ? to : finish.rows;
    for (int i = from; i < end; ++i) {
        const int left = kTileRows - 1 - i;
        const ptrdiff_t at = finish.column + left;
        const Floats query_scale = splat(scores.query_scales[i * task.scale_stride]);
        const Ints content = add(finish.start, load(finish.sums->content + i * kLanes));
        Floats score = multiply(to_floats(content), multiply(query_scale, finish.key_scale));
        if constexpr (c2p) {
            const int32_t *by_query = finish.sums->by_query + 2 * i * kLanes + left;
            const Ints sum = add(load(task.c2p.start + at), load(by_query));
            const Floats factor = multiply(query_scale, load(task.c2p.scales + at));
            score = fused(to_floats(sum), factor, score);
        }
        if constexpr (p2c) {
            const Floats factor = multiply(finish.key_factor, load(task.p2c.scales + at));
            score = fused(load(finish.by_key + left * kLanes), factor, score);
        }
        store(finish.output + i * score_stride(task.keys.padded), score);
    }
}

// The sums of a group of sixteen keys. The distances of a group's last queries are those of the
// next one's first: the second half of `now.by_query` is the first half of `next.by_query`.
// Tile 4 has the queries. Between the products the group before is finished.
template <bool c2p, bool p2c>
LANES void multiply_scores(const ScoreTask &scores, int key, ScoreSums &now, ScoreSums &next,
                           const FinishScores &finish) {
    const AttendI8 &task = scores.task;
    const ptrdiff_t column = scores.column + key;
    constexpr int quarter = kTileRows / 4;
    TILE_ZERO(0);
    TILE_LOAD(5, task.keys.quads + 4 * ptrdiff_t(key), 4 * task.keys.stride);
    if constexpr (p2c) {
        const int8_t *distances = task.p2c.table + column * task.p2c.stride;
        TILE_ZERO(2);
        TILE_ZERO(3);
        TILE_LOAD(7, distances, task.p2c.stride);
        TILE_LOAD(6, distances + kTileRows * task.p2c.stride, task.p2c.stride);
    }
    TILE_DOT(0, 4, 5);
    finish_queries<c2p, p2c>(scores, finish, 0, quarter);
    if constexpr (p2c) {
        TILE_DOT(2, 7, 5);
    }
    if constexpr (c2p) {
        TILE_ZERO(1);
        TILE_LOAD(7, task.c2p.table + 4 * (column + kLanes), task.c2p.stride);
    }
    finish_queries<c2p, p2c>(scores, finish, quarter, 2 * quarter);
    if constexpr (p2c) {
        TILE_DOT(3, 6, 5);
    }
    finish_queries<c2p, p2c>(scores, finish, 2 * quarter, 3 * quarter);
    if constexpr (c2p) {
        TILE_DOT(1, 4, 7);
    }
    finish_queries<c2p, p2c>(scores, finish, 3 * quarter, kTileRows);
    TILE_STORE(0, now.content, 64);
    if constexpr (p2c) {
        TILE_STORE(2, now.by_key, 64);
        TILE_STORE(3, now.by_key + kTileScores, 64);
    }
    if constexpr (c2p) {
        TILE_STORE(1, now.by_query + kLanes, 128);
        TILE_STORE(1, next.by_query, 128);
    }
}

// The first half of a first group's by_query.
LANES void multiply_first(const ScoreTask &scores, ScoreSums &now) {
    TILE_ZERO(1);
    TILE_LOAD(7, scores.task.c2p.table + 4 * scores.column, scores.task.c2p.stride);
    TILE_DOT(1, 4, 7);
    TILE_STORE(1, now.by_query, 128);
}

// The scores of up to sixteen queries. While a group of keys is multiplied, the one before is
// finished.
template <bool c2p, bool p2c>
static void score_queries(const AttendI8 &task, int row, int rows, float *output) {
    alignas(64) uint8_t some[kTileRows * kTileHead];
    ScoreTask scores{task,
                     task.queries + row * task.query_stride,
                     task.query_stride,
                     task.query_scales + row * task.scale_stride,
                     rows,
                     ptrdiff_t(task.middle) - task.first - row - (kTileRows - 1)};
    if (rows < kTileRows) { // what lies behind the rows may be another thread's
        for (int i = 0; i < rows; ++i) {
            __builtin_memcpy(some + i * kTileHead, scores.queries + i * task.query_stride,
                             kTileHead);
        }
        __builtin_memset(some + rows * kTileHead, 0, size_t(kTileRows - rows) * kTileHead);
        scores.queries = some;
        scores.query_stride = kTileHead;
    }
    written_for_tiles(scores.queries);
    ScoreSums sums[3];
    ScoreSums *before = &sums[0], *now = &sums[1], *next = &sums[2];
    TILE_LOAD(4, scores.queries, scores.query_stride);
    if constexpr (c2p) {
        multiply_first(scores, *before);
    }
    FinishScores finish;
    finish.rows = 0;
    multiply_scores<c2p, p2c>(scores, 0, *before, *now, finish);
    int key = kLanes;
    for (; key < task.keys.padded; key += kLanes) {
        begin_finish<p2c>(scores, *before, key - kLanes, output, finish);
        multiply_scores<c2p, p2c>(scores, key, *now, *next, finish);
        ScoreSums *const done = before;
        before = now;
        now = next;
        next = done;
    }
    begin_finish<p2c>(scores, *before, key - kLanes, output, finish);
    finish_queries<c2p, p2c>(scores, finish, 0, rows);
}

template <bool c2p, bool p2c>
static void score_on_tiles(const AttendI8 &task, int first, int rows) {
    const ptrdiff_t stride = score_stride(task.keys.padded);
    for (int row = 0; row < rows; row += kTileRows) {
        const int some = rows - row < kTileRows ? rows - row : kTileRows;
        score_queries<c2p, p2c>(task, first + row, some, task.scratch + row * stride);
    }
}

// Contexts of up to sixteen queries, in one or two groups of columns. Tiles 0 and 1 are sums of the
// weights' high bytes, 2 and 3 of the low ones.
template <int groups>
LANES void weigh_tiles(const Part &part, const Weights &weights, int rows, const int8_t *values,
                       ptrdiff_t group_stride, const Contexts &contexts) {
    const ptrdiff_t stride = weights.stride * ptrdiff_t(sizeof(float));
    const uint8_t *bytes = (const uint8_t *)weights.rows + 2 * ptrdiff_t(part.begin);
    values += ptrdiff_t(kLanes) * part.begin;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (int key = part.begin; key < part.end; key += kBlockKeys) {
        TILE_LOAD(4, bytes, stride);
        TILE_LOAD(6, values, 64);
        TILE_LOAD(5, bytes + kBlockKeys, stride);
        if constexpr (groups == 2) {
            TILE_LOAD(7, values + group_stride, 64);
        }
        TILE_DOT(0, 4, 6);
        TILE_DOT(2, 5, 6);
        if constexpr (groups == 2) {
            TILE_DOT(1, 4, 7);
            TILE_DOT(3, 5, 7);
        }
        bytes += 2 * kBlockKeys;
        values += kLanes * kBlockKeys;
    }
    alignas(64) int32_t high[groups][kTileScores], low[groups][kTileScores];
    TILE_STORE(0, high[0], 64);
    TILE_STORE(2, low[0], 64);
    if constexpr (groups == 2) {
        TILE_STORE(1, high[1], 64);
        TILE_STORE(3, low[1], 64);
    }
    for (int row = 0; row < rows; ++row) {
        TIMES(g, groups) {
            const Ints sums =
                add(moved_up(load(high[g] + row * kLanes)), load(low[g] + row * kLanes));
            add_context(part, sums, weights.factors[row],
                        contexts.output + row * contexts.stride + g * kLanes,
                        contexts.columns - g * kLanes);
        }
    }
}

// A tile has the bytes of 64 keys: parts that begin between such are left to vectors.
static void weigh_part_on_tiles(const AttendI8 &task, const Part &part, const Weights &weights,
                                int rows, float *output) {
    constexpr int few = 4; // rows that vectors are as fast with
    if (rows < few || part.begin % kBlockKeys || (!part.last && part.end % kBlockKeys)) {
        weigh_part(task, part, weights, rows, output);
        return;
    }
    written_for_tiles(weights.rows);
    const ptrdiff_t stride = value_stride(task.keys);
    for (int row = 0; row < rows; row += kTileRows) {
        const int some = rows - row < kTileRows ? rows - row : kTileRows;
        const Weights those{weights.rows + row * weights.stride, weights.stride,
                            weights.factors + row};
        for (int column = 0; column < task.head_size; column += 2 * kLanes) {
            const Contexts contexts{output + row * task.output_stride + column, task.output_stride,
                                    task.head_size - column};
            const int8_t *values = task.keys.values + column / kLanes * stride;
            task.head_size - column > kLanes
                ? weigh_tiles<2>(part, those, some, values, stride, contexts)
                : weigh_tiles<1>(part, those, some, values, stride, contexts);
        }
    }
}

static void contexts_on_tiles(const AttendI8 &task, const Weights &weights, int rows,
                              float *output) {
    weigh_levels(task, weights, rows, output, weigh_part_on_tiles);
}

static bool tile_attend_i8(const AttendI8 &task) {
    if (task.head_size != kTileHead) {
        return attend(task, score_rows<AttendI8>, contexts_on_tiles);
    }
    return attend(
        task,
        [](const AttendI8 &some, int first, int rows) {
            by_terms(some,
                     [&](auto terms) { score_on_tiles<terms.c2p, terms.p2c>(some, first, rows); });
        },
        contexts_on_tiles);
}
