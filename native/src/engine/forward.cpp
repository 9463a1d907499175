#include "engine/forward.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "engine/attention.h"

namespace edge_rerank::engine {

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
} // namespace

// One thread's share of the work: the steps of the model on a block of rows.
class Forward::Thread {
  public:
    Thread(Forward &pass, int number)
        : pass_(pass), model_(pass.model_), kernel_(pass.kernel_), shape_(pass.model_.architecture),
          shared_(pass.buffers_.shared), own_(pass.buffers_.threads[size_t(number)]),
          attention_(model_, kernel_, shared_, own_) {}

    edge_rerank_times times{};
    bool sound = true;

    void run(size_t phase, const Block &block) {
        watch_ = Stopwatch();
        const size_t layers = model_.layers.size();
        if (phase == layers) {
            finish_pairs(block);
            return;
        }
        float *hidden = shared_.hidden + ptrdiff_t(block.first) * shape_.hidden;
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
    const kernels::Kernel &kernel_;
    const Architecture &shape_;
    const SharedBuffers &shared_;
    ThreadBuffers &own_;
    const Attention attention_;
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
                        rows + ptrdiff_t(row - block.first) * shape_.embedding);
        }
        const int count = block.last - block.first;
        if (projected) {
            kernel_.product_f32(rows, shape_.embedding, count, tables.projection, 0, shape_.hidden,
                                hidden, shape_.hidden);
        }
        sound &= kernel_.norm(hidden, shape_.hidden, nullptr, 0, count, shape_.hidden, tables.norm);
        watch_.lap(times.embedding);
    }

    void embed_token(const PlacedPair &pair, int row, float *output) {
        const Embeddings &tables = model_.embeddings;
        const int position = row - pair.row;
        const ptrdiff_t width = shape_.embedding;
        const int32_t id = pass_.call_.ids[pass_.call_.offsets[pair.index] + position];
        if (tables.words_i8) {
            kernel_.widen(tables.words_i8 + id * width, tables.word_scales[id], shape_.embedding,
                          output);
        } else {
            std::memcpy(output, tables.words_f32 + id * width, size_t(width) * sizeof(float));
        }
        if (tables.types) {
            const int type = position >= pass_.call_.first_segments[pair.index];
            kernel_.add(tables.types + type * width, shape_.embedding, output);
        }
        if (tables.positions) {
            kernel_.add(tables.positions + position * width, shape_.embedding, output);
        }
    }

    // output = input * weights + bias, for columns of the product from `first` on.
    void multiply(const Product &product, const float *input, int rows, int first, int count,
                  float *output) {
        const int inputs = product.inputs;
        if (shape_.int8) {
            own_.rows.stride = product.i8.inputs;
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
        const int first = queries ? 0 : shape_.hidden, count = 3 * shape_.hidden - first;
        multiply(model_.layers[layer].projection, hidden, block.last - block.first, first, count,
                 own_.wide);
        const float *row = own_.wide;
        for_each_pair(block, [&](const PlacedPair &pair, int begin, int end) {
            for (int position = begin; queries && position < end; ++position) {
                sound &=
                    attention_.store_query(row + (position - begin) * count, pair.row + position);
            }
            const float *keys = row + (queries ? shape_.hidden : 0);
            sound &= attention_.store_keys(layer, pair, begin, end - begin, keys, count);
            row += (end - begin) * count;
        });
        watch_.lap(times.rest);
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
            const ptrdiff_t row = pair.row + begin - block.first;
            sound &= attention_.attend(layer, pair, begin, end - begin,
                                       own_.context + row * shape_.hidden);
        });
        watch_.lap(times.attention);
    }

    // From the context of some rows to the next layer's input, in place in `hidden`.
    void finish_layer(const Layer &layer, int rows, float *hidden) {
        const int width = shape_.hidden;
        multiply(layer.output, own_.context, rows, 0, width, own_.middle);
        sound &= kernel_.norm(own_.middle, width, hidden, width, rows, width, layer.attention_norm);
        watch_.lap(times.rest);
        multiply(layer.up, own_.middle, rows, 0, shape_.intermediate, own_.wide);
        activate_multiply(layer.down, rows, hidden);
        sound &= kernel_.norm(hidden, width, own_.middle, width, rows, width, layer.ffn_norm);
        watch_.lap(times.rest);
    }

    void activate_multiply(const Product &down, int rows, float *output) {
        const int inputs = shape_.intermediate;
        if (!shape_.int8) {
            kernel_.activate(own_.wide, inputs, rows, inputs, shape_.activation);
            watch_.lap(times.rest);
            multiply(down, own_.wide, rows, 0, shape_.hidden, output);
            return;
        }
        own_.rows.stride = down.i8.inputs;
        sound &= kernel_.activate_quantize(own_.wide, inputs, rows, inputs, shape_.activation,
                                           down.smooth, own_.rows);
        watch_.lap(times.rest);
        kernel_.product_i8(own_.rows, rows, down.i8, 0, shape_.hidden, output, shape_.hidden);
        times.multiply_adds += double(rows) * inputs * shape_.hidden;
        watch_.lap(times.products);
    }

    // The last layer and the head, for the first tokens of some pairs.
    void finish_pairs(const Block &block) {
        const size_t layer = model_.layers.size() - 1;
        const int pairs = block.last - block.first, width = shape_.hidden;
        for (int i = 0; i < pairs; ++i) {
            const PlacedPair &pair = pass_.piece_.pairs[size_t(block.first + i)];
            std::memcpy(own_.first + ptrdiff_t(i) * width,
                        shared_.hidden + ptrdiff_t(pair.row) * width,
                        size_t(width) * sizeof(float));
        }
        multiply(model_.layers[layer].projection, own_.first, pairs, 0, width, own_.wide);
        for (int i = 0; i < pairs; ++i) {
            sound &= attention_.attend_first(layer, pass_.piece_.pairs[size_t(block.first + i)],
                                             own_.wide + ptrdiff_t(i) * width,
                                             own_.context + ptrdiff_t(i) * width);
        }
        watch_.lap(times.attention);
        finish_layer(model_.layers[layer], pairs, own_.first);
        const Head &head = model_.head;
        kernel_.product_f32(own_.first, width, pairs, head.pooler, 0, width, own_.wide, width);
        kernel_.activate(own_.wide, width, pairs, width, shape_.head_activation);
        for (int i = 0; i < pairs; ++i) {
            const float logit =
                kernel_.dot(own_.wide + ptrdiff_t(i) * width, head.classifier, width) + head.bias;
            sound &= logit - logit == 0.0f;
            pass_.logits_[pass_.piece_.pairs[size_t(block.first + i)].index] = logit;
        }
        watch_.lap(times.rest);
    }
};

Forward::Forward(const Model &model, const kernels::Kernel &kernel, Buffers &buffers,
                 const Call &call, const Piece &piece, float *logits)
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

} // namespace edge_rerank::engine
