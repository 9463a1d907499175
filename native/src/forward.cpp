#include "forward.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace edge_rerank {

namespace {
class Stopwatch {
  public:
    Stopwatch() : last_(Clock::now()) {}

    // Adds the time since the last call.
    void lap(double &seconds) {
        const Clock::time_point now = Clock::now();
        seconds += std::chrono::duration<double>(now - last_).count();
        last_ = now;
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point last_;
};

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Scores are kept in units of log 2, so that the softmax needs powers of two alone.
constexpr double kLog2E = 1.4426950408889634;
} // namespace

// One thread's share of the work: the steps of the model on a block of rows.
class Forward::Thread {
  public:
    Thread(Forward &pass, int number)
        : pass_(pass), model_(pass.model_), kernel_(pass.kernel_), it_(pass.model_.architecture),
          shared_(pass.buffers_.shared), own_(pass.buffers_.threads[size_t(number)]),
          factor_(float(it_.score_factor * kLog2E)), value_size_(padded_keys(it_.head_size)) {}

    edge_rerank_times times{};
    bool sound = true;

    void run(size_t phase, const Block &block) {
        watch_ = Stopwatch();
        const size_t layers = model_.layers.size();
        if (phase == layers) {
            finish_pairs(block);
            return;
        }
        float *hidden = shared_.hidden + ptrdiff_t(block.first) * it_.hidden;
        const int rows = block.last - block.first;
        if (phase == 0) {
            embed(block, hidden);
        } else {
            attend(phase - 1, block);
            finish_layer(model_.layers[phase - 1], rows, hidden);
        }
        project(phase, block, hidden);
    }

  private:
    Forward &pass_;
    const Model &model_;
    const Kernel &kernel_;
    const Architecture &it_;
    const SharedBuffers &shared_;
    ThreadBuffers &own_;
    const float factor_;
    const int value_size_;
    Stopwatch watch_;

    void embed(const Block &block, float *hidden) {
        const Embeddings &tables = model_.embeddings;
        const bool projected = tables.projection.weights != nullptr;
        float *rows = projected ? own_.wide : hidden;
        int pair = block.pair;
        for (int row = block.first; row < block.last; ++row) {
            while (row >=
                   pass_.piece_.pairs[size_t(pair)].row + pass_.piece_.pairs[size_t(pair)].length) {
                ++pair;
            }
            embed_token(pass_.piece_.pairs[size_t(pair)], row,
                        rows + ptrdiff_t(row - block.first) * it_.embedding);
        }
        const int count = block.last - block.first;
        if (projected) {
            kernel_.product_f32(rows, it_.embedding, count, tables.projection, 0, it_.hidden,
                                hidden, it_.hidden);
        }
        sound &= kernel_.norm(hidden, it_.hidden, nullptr, 0, count, it_.hidden, tables.norm);
        watch_.lap(times.embedding);
    }

    void embed_token(const PlacedPair &pair, int row, float *output) {
        const Embeddings &tables = model_.embeddings;
        const int position = row - pair.row;
        const ptrdiff_t width = it_.embedding;
        const int32_t id = pass_.call_.ids[pass_.call_.offsets[pair.index] + position];
        if (tables.words_i8) {
            kernel_.widen(tables.words_i8 + id * width, tables.word_scales[id], it_.embedding,
                          output);
        } else {
            std::memcpy(output, tables.words_f32 + id * width, size_t(width) * sizeof(float));
        }
        if (tables.types) {
            const int type = position >= pass_.call_.first_segments[pair.index];
            kernel_.add(tables.types + type * width, it_.embedding, output);
        }
        if (tables.positions) {
            kernel_.add(tables.positions + position * width, it_.embedding, output);
        }
    }

    // output = input * weights + bias, for columns of the product from `first` on.
    void multiply(const Product &product, const float *input, int rows, int first, int count,
                  float *output) {
        const int inputs = it_.int8 ? product.i8.inputs : product.f32.inputs;
        if (it_.int8) {
            own_.rows.stride = inputs;
            sound &= kernel_.quantize(input, inputs, rows, inputs, product.smooth, own_.rows);
            watch_.lap(times.rest);
            kernel_.product_i8(own_.rows, rows, product.i8, first, count, output, count);
        } else {
            kernel_.product_f32(input, inputs, rows, product.f32, first, count, output, count);
        }
        times.multiply_adds += double(rows) * inputs * count;
        watch_.lap(times.products);
    }

    // Makes queries (but in the last layer), keys and values of a layer.
    void project(size_t layer, const Block &block, const float *hidden) {
        const bool queries = layer + 1 < model_.layers.size();
        const int first = queries ? 0 : it_.hidden, count = 3 * it_.hidden - first;
        multiply(model_.layers[layer].projection, hidden, block.last - block.first, first, count,
                 own_.wide);
        const float *row = own_.wide;
        for_each_pair(block, [&](const PlacedPair &pair, int begin, int end) {
            for (int position = begin; queries && position < end; ++position) {
                store_query(row + (position - begin) * count, pair.row + position);
            }
            const float *keys = row + (queries ? it_.hidden : 0);
            store_keys(layer & 1, pair, begin, end - begin, keys, count);
            row += (end - begin) * count;
        });
        watch_.lap(times.rest);
    }

    void store_query(const float *query, int row) {
        const ptrdiff_t start = ptrdiff_t(row) * it_.hidden;
        if (it_.int8) {
            query_heads(query, shared_.query_bytes + start,
                        shared_.query_scales + ptrdiff_t(row) * it_.heads);
        } else {
            scale_query(query, shared_.queries + start);
        }
    }

    void query_heads(const float *query, uint8_t *bytes, float *scales) {
        for (int head = 0; head < it_.heads; ++head) {
            const int at = head * it_.head_size;
            sound &= kernel_.query_head_i8(query + at, it_.head_size, factor_, bytes + at,
                                           scales + head);
        }
    }

    void scale_query(const float *query, float *output) {
        for (int i = 0; i < it_.hidden; ++i) {
            output[i] = query[i] * factor_;
        }
    }

    // Stores some consecutive keys of a pair; each row holds a key and then its value.
    void store_keys(int side, const PlacedPair &pair, int position, int count, const float *rows,
                    ptrdiff_t stride) {
        const ptrdiff_t padded = padded_keys(pair.length);
        for (int head = 0; head < it_.heads; ++head) {
            const ptrdiff_t start = ptrdiff_t(pair.key) * it_.heads + head * padded;
            const float *keys = rows + head * it_.head_size;
            if (it_.int8) {
                const KeysOut to{shared_.key_quads[side] + start * it_.head_size + 4 * position,
                                 4 * padded, shared_.key_scales[side] + start + position,
                                 shared_.key_starts[side] + start + position};
                sound &= kernel_.store_keys_i8(keys, stride, count, it_.head_size, to);
            } else {
                float *columns = shared_.key_columns[side] + start * it_.head_size + position;
                for (int key = 0; key < count; ++key) {
                    for (int i = 0; i < it_.head_size; ++i) {
                        columns[i * padded + key] = keys[key * stride + i];
                    }
                }
            }
            float *values = shared_.values[side] + (start + position) * value_size_;
            for (int key = 0; key < count; ++key) { // what pads a value stays zero
                std::memcpy(values + key * ptrdiff_t(value_size_), keys + key * stride + it_.hidden,
                            size_t(it_.head_size) * sizeof(float));
            }
        }
    }

    // Calls act(pair, begin, end) for the part of each pair that lies in the block.
    template <typename Act> void for_each_pair(const Block &block, Act act) {
        int row = block.first;
        for (int pair = block.pair; row < block.last; ++pair) {
            const PlacedPair &placed = pass_.piece_.pairs[size_t(pair)];
            const int end = std::min(block.last, placed.row + placed.length);
            act(placed, row - placed.row, end - placed.row);
            row = end;
        }
    }

    void attend(size_t layer, const Block &block) {
        for_each_pair(block, [&](const PlacedPair &pair, int begin, int end) {
            const ptrdiff_t row = pair.row + begin;
            Queries queries{};
            if (it_.int8) {
                queries.bytes = shared_.query_bytes + row * it_.hidden;
                queries.scales = shared_.query_scales + row * it_.heads;
            } else {
                queries.values = shared_.queries + row * it_.hidden;
            }
            attend_rows(layer, pair, begin, end - begin, queries,
                        own_.context + (row - block.first) * it_.hidden);
        });
        watch_.lap(times.attention);
    }

    struct Queries {
        const uint8_t *bytes;
        const float *scales;
        const float *values;
    };

    void attend_rows(size_t layer, const PlacedPair &pair, int first, int rows,
                     const Queries &queries, float *output) {
        for (int head = 0; head < it_.heads; ++head) {
            if (it_.int8) {
                attend_head_i8(layer, pair, first, rows, queries, head, output);
            } else {
                attend_head_f32(layer, pair, first, rows, queries, head, output);
            }
        }
    }

    void attend_head_i8(size_t layer, const PlacedPair &pair, int first, int rows,
                        const Queries &queries, int head, float *output) {
        const size_t side = layer & 1;
        const int padded = padded_keys(pair.length), at = head * it_.head_size;
        const ptrdiff_t start = ptrdiff_t(pair.key) * it_.heads + ptrdiff_t(head) * padded;
        const RelativeHead &relative = model_.layers[layer].heads[size_t(head)];
        AttendI8 task{};
        task.rows = rows;
        task.first = first;
        task.head_size = it_.head_size;
        task.queries = queries.bytes + at;
        task.query_stride = it_.hidden;
        task.query_scales = queries.scales + head;
        task.scale_stride = it_.heads;
        task.key_factor = factor_;
        task.keys = {pair.length,
                     padded,
                     shared_.key_quads[side] + start * it_.head_size,
                     shared_.key_scales[side] + start,
                     shared_.key_starts[side] + start,
                     shared_.values[side] + start * value_size_};
        task.c2p = relative.c2p_i8;
        task.p2c = relative.p2c_i8;
        task.middle = model_.middle;
        task.scratch = own_.scores;
        task.output = output + at;
        task.output_stride = it_.hidden;
        sound &= kernel_.attend_i8(task);
    }

    void attend_head_f32(size_t layer, const PlacedPair &pair, int first, int rows,
                         const Queries &queries, int head, float *output) {
        const size_t side = layer & 1;
        const int padded = padded_keys(pair.length), at = head * it_.head_size;
        const ptrdiff_t start = ptrdiff_t(pair.key) * it_.heads + ptrdiff_t(head) * padded;
        const RelativeHead &relative = model_.layers[layer].heads[size_t(head)];
        AttendF32 task{};
        task.rows = rows;
        task.first = first;
        task.head_size = it_.head_size;
        task.queries = queries.values + at;
        task.query_stride = it_.hidden;
        task.key_factor = factor_;
        task.keys = {pair.length, padded, shared_.key_columns[side] + start * it_.head_size,
                     shared_.values[side] + start * value_size_};
        task.c2p = relative.c2p_f32;
        task.p2c = relative.p2c_f32;
        task.middle = model_.middle;
        task.scratch = own_.scores;
        task.output = output + at;
        task.output_stride = it_.hidden;
        sound &= kernel_.attend_f32(task);
    }

    // From the context of some rows to the next layer's input, in place in `hidden`.
    void finish_layer(const Layer &layer, int rows, float *hidden) {
        const int width = it_.hidden;
        multiply(layer.output, own_.context, rows, 0, width, own_.middle);
        sound &= kernel_.norm(own_.middle, width, hidden, width, rows, width, layer.attention_norm);
        watch_.lap(times.rest);
        multiply(layer.up, own_.middle, rows, 0, it_.intermediate, own_.wide);
        activate_multiply(layer.down, rows, hidden);
        sound &= kernel_.norm(hidden, width, own_.middle, width, rows, width, layer.ffn_norm);
        watch_.lap(times.rest);
    }

    void activate_multiply(const Product &down, int rows, float *output) {
        const int inputs = it_.intermediate;
        if (!it_.int8) {
            kernel_.activate(own_.wide, inputs, rows, inputs, it_.activation);
            watch_.lap(times.rest);
            multiply(down, own_.wide, rows, 0, it_.hidden, output);
            return;
        }
        own_.rows.stride = inputs;
        sound &= kernel_.activate_quantize(own_.wide, inputs, rows, inputs, it_.activation,
                                           down.smooth, own_.rows);
        watch_.lap(times.rest);
        kernel_.product_i8(own_.rows, rows, down.i8, 0, it_.hidden, output, it_.hidden);
        times.multiply_adds += double(rows) * inputs * it_.hidden;
        watch_.lap(times.products);
    }

    // The last layer and the head, for the first tokens of some pairs.
    void finish_pairs(const Block &block) {
        const size_t layer = model_.layers.size() - 1;
        const int pairs = block.last - block.first, width = it_.hidden;
        for (int i = 0; i < pairs; ++i) {
            const PlacedPair &pair = pass_.piece_.pairs[size_t(block.first + i)];
            std::memcpy(own_.first + ptrdiff_t(i) * width,
                        shared_.hidden + ptrdiff_t(pair.row) * width,
                        size_t(width) * sizeof(float));
        }
        multiply(model_.layers[layer].projection, own_.first, pairs, 0, width, own_.wide);
        for (int i = 0; i < pairs; ++i) {
            attend_first(layer, pass_.piece_.pairs[size_t(block.first + i)], i);
        }
        watch_.lap(times.attention);
        finish_layer(model_.layers[layer], pairs, own_.first);
        const Head &head = model_.head;
        kernel_.product_f32(own_.first, width, pairs, head.pooler, 0, width, own_.wide, width);
        kernel_.activate(own_.wide, width, pairs, width, it_.pooler_activation);
        for (int i = 0; i < pairs; ++i) {
            const float logit =
                kernel_.dot(own_.wide + ptrdiff_t(i) * width, head.classifier, width) + head.bias;
            sound &= logit - logit == 0.0f;
            pass_.logits_[pass_.piece_.pairs[size_t(block.first + i)].index] = logit;
        }
        watch_.lap(times.rest);
    }

    void attend_first(size_t layer, const PlacedPair &pair, int number) {
        const float *query = own_.wide + ptrdiff_t(number) * it_.hidden;
        float *output = own_.context + ptrdiff_t(number) * it_.hidden;
        if (it_.int8) {
            query_heads(query, own_.query_bytes, own_.query_scales);
            attend_rows(layer, pair, 0, 1, {own_.query_bytes, own_.query_scales, nullptr}, output);
        } else {
            scale_query(query, own_.middle);
            attend_rows(layer, pair, 0, 1, {nullptr, nullptr, own_.middle}, output);
        }
    }
};

Forward::Forward(const Model &model, const Kernel &kernel, Buffers &buffers, const Call &call,
                 const Piece &piece, float *logits)
    : model_(model), kernel_(kernel), buffers_(buffers), call_(call), piece_(piece),
      logits_(logits), phases_(model.layers.size() + 1) {}

edge_rerank_times Forward::work(int number) {
    Thread thread(*this, number);
    for (size_t phase = 0; phase < phases_.size(); ++phase) {
        const std::vector<Block> &blocks = phase + 1 < phases_.size() ? piece_.blocks : piece_.ends;
        Progress &progress = phases_[phase];
        const int count = int(blocks.size());
        for (int block; (block = progress.next.fetch_add(1)) < count;) {
            thread.run(phase, blocks[size_t(block)]);
            progress.done.fetch_add(1, std::memory_order_release);
        }
        Stopwatch watch;
        // Others are at most one block behind: it is not worth going to sleep, unless there are
        // more threads than processors.
        for (int turns = 0; progress.done.load(std::memory_order_acquire) < count; ++turns) {
            if (turns < 20000) {
                pause();
            } else {
                std::this_thread::yield();
            }
        }
        watch.lap(thread.times.waiting);
    }
    if (!thread.sound) {
        sound_.store(false);
    }
    return thread.times;
}

} // namespace edge_rerank
