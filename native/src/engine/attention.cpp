#include "engine/attention.h"

#include <cstring>

namespace edge_rerank::engine {

using kernels::AttendF32, kernels::AttendI8;

namespace {
// Scores are kept in units of log 2, so that the softmax needs powers of two alone.
constexpr double kLog2E = 1.4426950408889634;
} // namespace

Attention::Attention(const Model &model, const kernels::Kernel &kernel, const SharedBuffers &shared,
                     const ThreadBuffers &own)
    : model_(model), shape_(model.architecture), kernel_(kernel), shared_(shared), own_(own),
      factor_(float(shape_.score_factor * kLog2E)), value_size_(padded_keys(shape_.head_size)) {}

void Attention::turn(size_t layer, int position, int count, float *rows, ptrdiff_t stride) const {
    const Rotary &rotary = model_.layers[layer].rotary;
    if (rotary.cosines) {
        const ptrdiff_t at = ptrdiff_t(position) * (shape_.head_size / 2);
        kernel_.rotate(rows, stride, count, shape_.heads, shape_.head_size, rotary.cosines + at,
                       rotary.sines + at);
    }
}

bool Attention::store_query(const float *query, int row) const { return store(query, stored(row)); }

bool Attention::store_keys(size_t layer, const Sequence &sequence, int position, int count,
                           const float *rows, ptrdiff_t stride) const {
    const size_t side = layer & 1;
    const ptrdiff_t padded = padded_keys(sequence.length);
    bool sound = true;
    for (int head = 0; head < shape_.heads; ++head) {
        const ptrdiff_t start = place(layer, sequence, head).key;
        const float *keys = rows + head * shape_.head_size;
        if (shape_.int8) {
            const kernels::KeysOut to{shared_.key_quads[side] + start * shape_.head_size +
                                          4 * position,
                                      4 * padded, shared_.key_scales[side] + start + position,
                                      shared_.key_starts[side] + start + position};
            sound &= kernel_.store_keys_i8(keys, stride, count, shape_.head_size, to);
            const kernels::ValuesOut values{levels(side, start), int(padded), position,
                                            shared_.value_scales[side] + start + position};
            sound &= kernel_.store_values_i8(keys + shape_.hidden, stride, count, shape_.head_size,
                                             values);
        } else {
            float *columns = shared_.key_columns[side] + start * shape_.head_size + position;
            for (int key = 0; key < count; ++key) {
                for (int i = 0; i < shape_.head_size; ++i) {
                    columns[i * padded + key] = keys[key * stride + i];
                }
            }
            float *values = shared_.values[side] + (start + position) * value_size_;
            for (int key = 0; key < count; ++key) { // what pads a value stays zero
                std::memcpy(values + key * ptrdiff_t(value_size_),
                            keys + key * stride + shape_.hidden,
                            size_t(shape_.head_size) * sizeof(float));
            }
        }
    }
    return sound;
}

bool Attention::attend(size_t layer, const Sequence &sequence, int first, int rows,
                       float *output) const {
    return attend_heads(layer, sequence, first, rows, stored(sequence.row + first), output);
}

bool Attention::attend_with(size_t layer, const Sequence &sequence, const float *queries, int rows,
                            float *output) const {
    const ptrdiff_t hidden = shape_.hidden, heads = shape_.heads;
    bool sound = true;
    for (int row = 0; row < rows; ++row) {
        const ptrdiff_t at = row * hidden;
        sound &= store(queries + at,
                       {own_.query_bytes + at, own_.query_scales + row * heads, own_.middle + at});
    }
    const Queries own{own_.query_bytes, own_.query_scales, own_.middle};
    return attend_heads(layer, sequence, 0, rows, own, output) && sound;
}

Attention::Queries Attention::stored(int row) const {
    const ptrdiff_t start = ptrdiff_t(row) * shape_.hidden;
    if (shape_.int8) {
        return {shared_.query_bytes + start, shared_.query_scales + ptrdiff_t(row) * shape_.heads,
                nullptr};
    }
    return {nullptr, nullptr, shared_.queries + start};
}

bool Attention::store(const float *query, const Queries &to) const {
    if (!shape_.int8) {
        for (int i = 0; i < shape_.hidden; ++i) {
            to.values[i] = query[i] * factor_;
        }
        return true;
    }
    bool sound = true;
    for (int head = 0; head < shape_.heads; ++head) {
        const int at = head * shape_.head_size;
        sound &= kernel_.query_head_i8(query + at, shape_.head_size, factor_, to.bytes + at,
                                       to.scales + head);
    }
    return sound;
}

Attention::Place Attention::place(size_t layer, const Sequence &sequence, int head) const {
    const ptrdiff_t before = ptrdiff_t(head) * padded_keys(sequence.length);
    return {layer, head, ptrdiff_t(sequence.key) * shape_.heads + before};
}

int8_t *Attention::levels(size_t side, ptrdiff_t key) const {
    return shared_.value_levels[side] + key * value_size_ * kernel_.value_bytes;
}

bool Attention::attend_heads(size_t layer, const Sequence &sequence, int first, int rows,
                             const Queries &queries, float *output) const {
    bool sound = true;
    for (int head = 0; head < shape_.heads; ++head) {
        const Place at = place(layer, sequence, head);
        sound &= shape_.int8
                     ? finish(begin<AttendI8>(at, sequence, first, rows, output), at, queries)
                     : finish(begin<AttendF32>(at, sequence, first, rows, output), at, queries);
    }
    return sound;
}

// What both kinds of task have in common.
template <typename Task>
Task Attention::begin(const Place &place, const Sequence &sequence, int first, int rows,
                      float *output) const {
    Task task{};
    task.rows = rows;
    task.first = first;
    task.reach = model_.layers[place.layer].reach;
    task.head_size = shape_.head_size;
    task.query_stride = shape_.hidden;
    task.key_factor = factor_;
    task.middle = model_.middle;
    task.scratch = own_.scores;
    task.output = output + place.head * shape_.head_size;
    task.output_stride = shape_.hidden;
    task.keys.count = sequence.length;
    task.keys.padded = padded_keys(sequence.length);
    task.keys.stride = task.keys.padded;
    return task;
}

bool Attention::finish(AttendI8 task, const Place &place, const Queries &queries) const {
    const size_t side = place.layer & 1;
    const RelativeHead &relative = model_.layers[place.layer].heads[size_t(place.head)];
    task.queries = queries.bytes + place.head * shape_.head_size;
    task.query_scales = queries.scales + place.head;
    task.scale_stride = shape_.heads;
    task.keys.quads = shared_.key_quads[side] + place.key * shape_.head_size;
    task.keys.scales = shared_.key_scales[side] + place.key;
    task.keys.start = shared_.key_starts[side] + place.key;
    task.keys.values = levels(side, place.key);
    task.keys.value_scales = shared_.value_scales[side] + place.key;
    task.keys.value_factors = own_.value_factors;
    task.c2p = relative.c2p_i8;
    task.p2c = relative.p2c_i8;
    return kernel_.attend_i8(task);
}

bool Attention::finish(AttendF32 task, const Place &place, const Queries &queries) const {
    const RelativeHead &relative = model_.layers[place.layer].heads[size_t(place.head)];
    task.queries = queries.values + place.head * shape_.head_size;
    task.keys.columns = shared_.key_columns[place.layer & 1] + place.key * shape_.head_size;
    task.keys.values = shared_.values[place.layer & 1] + place.key * value_size_;
    task.c2p = relative.c2p_f32;
    task.p2c = relative.p2c_f32;
    return kernel_.attend_f32(task);
}

} // namespace edge_rerank::engine
