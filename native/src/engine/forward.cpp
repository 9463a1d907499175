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
        if (phase == pass_.phases_.size() - 1) {
            shape_.head.mean ? average_pairs(block) : finish_pairs(block);
            apply_head(block);
            return;
        }
        float *hidden = shared_.hidden + ptrdiff_t(block.first) * shape_.hidden;
        const int rows = block.last - block.first;
        if (phase == 0) {
            embed(block, hidden);
        } else {
            attend(phase - 1, block);
            finish_layer(phase - 1, rows, hidden);
        }
        if (phase < model_.layers.size()) {
            project(phase, block, hidden);
        }
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
        normalize(hidden, nullptr, count, tables.norm, hidden);
        watch_.lap(times.embedding);
    }

    void embed_token(const PlacedPair &pair, int row, float *output) {
        const Embeddings &tables = model_.embeddings;
        const int position = row - pair.row;
        const ptrdiff_t width = shape_.embedding;
        tables.words.row(kernel_, pair.ids[position], output);
        if (tables.types) {
            const int type = position >= pair.first_segment;
            kernel_.add(tables.types + type * width, shape_.embedding, output);
        }
        if (tables.positions) {
            kernel_.add(tables.positions + position * width, shape_.embedding, output);
        }
    }

    // output = norm(values + residual), rows as wide as the model; see Kernel::norm.
    void normalize(float *values, const float *residual, int rows, const kernels::Norm &norm,
                   float *output) {
        const int width = shape_.hidden;
        sound &=
            kernel_.norm(values, width, residual, residual ? width : 0, rows, width, norm, output);
    }

    // What the first product of a layer reads, which is not the rows themselves where the layer
    // normalises before; then it lies in `middle`.
    const float *input_of(size_t layer, float *hidden, int rows) {
        const kernels::Norm &norm = model_.layers[layer].attention_norm;
        if (!shape_.norm_before || !norm.weight) {
            return hidden;
        }
        normalize(hidden, nullptr, rows, norm, own_.middle);
        return own_.middle;
    }

    // output = input * weights + bias, for columns of the product from `first` on.
    void multiply(const Product &product, const float *input, int rows, int first, int count,
                  float *output) {
        multiply(product, input, product.inputs, rows, first, count, output);
    }
    // The same of rows that are `stride` apart.
    void multiply(const Product &product, const float *input, int stride, int rows, int first,
                  int count, float *output) {
        const int inputs = product.inputs;
        if (shape_.int8) {
            own_.rows.stride = product.i8.inputs;
            sound &= kernel_.quantize(input, stride, rows, inputs, product.smooth, own_.rows);
            watch_.lap(times.rest);
            kernel_.product_i8(own_.rows, rows, product.i8, first, count, output, count);
        } else {
            kernel_.product_f32(input, stride, rows, product.f32, first, count, output, count);
        }
        times.multiply_adds += double(rows) * inputs * count;
        watch_.lap(times.products);
    }

    // Makes queries (but in the last layer, where the head reads the first token alone), keys and
    // values of a layer.
    void project(size_t layer, const Block &block, float *hidden) {
        const bool queries = layer + 1 < model_.layers.size() || shape_.head.mean;
        const int first = queries ? 0 : shape_.hidden, count = 3 * shape_.hidden - first;
        const int rows = block.last - block.first;
        multiply(model_.layers[layer].projection, input_of(layer, hidden, rows), rows, first, count,
                 own_.wide);
        float *row = own_.wide;
        for_each_pair(block, [&](const PlacedPair &pair, int begin, int end) {
            if (queries) {
                attention_.turn(layer, begin, end - begin, row, count);
            }
            for (int position = begin; queries && position < end; ++position) {
                sound &=
                    attention_.store_query(row + (position - begin) * count, pair.row + position);
            }
            float *keys = row + (queries ? shape_.hidden : 0);
            attention_.turn(layer, begin, end - begin, keys, count);
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

    // From the context of some rows to what the layer gives, in place in `hidden`.
    void finish_layer(size_t number, int rows, float *hidden) {
        const Layer &layer = model_.layers[number];
        multiply(layer.output, own_.context, rows, 0, shape_.hidden, own_.middle);
        if (shape_.norm_before) {
            normalize(hidden, own_.middle, rows, layer.ffn_norm, own_.middle);
            feed_forward(layer, rows, own_.middle);
            for (int row = 0; row < rows; ++row) {
                const ptrdiff_t at = ptrdiff_t(row) * shape_.hidden;
                kernel_.add(own_.middle + at, shape_.hidden, hidden + at);
            }
            if (number + 1 == model_.layers.size()) {
                normalize(hidden, nullptr, rows, model_.final_norm, hidden);
            }
        } else {
            normalize(own_.middle, hidden, rows, layer.attention_norm, own_.middle);
            feed_forward(layer, rows, hidden);
            normalize(hidden, own_.middle, rows, layer.ffn_norm, hidden);
        }
        watch_.lap(times.rest);
    }

    // From the rows in `middle`.
    void feed_forward(const Layer &layer, int rows, float *output) {
        watch_.lap(times.rest);
        multiply(layer.up, own_.middle, rows, 0, shape_.inner(), own_.wide);
        activate_multiply(layer.down, rows, output);
    }

    void activate_multiply(const Product &down, int rows, float *output) {
        const int inputs = shape_.intermediate, inner = shape_.inner();
        if (!shape_.int8) {
            kernel_.activate(own_.wide, inner, rows, inputs, shape_.activation, shape_.gated);
            watch_.lap(times.rest);
            multiply(down, own_.wide, inner, rows, 0, shape_.hidden, output);
            return;
        }
        own_.rows.stride = down.i8.inputs;
        sound &= kernel_.activate_quantize(own_.wide, inner, rows, inputs, shape_.activation,
                                           shape_.gated, down.smooth, own_.rows);
        watch_.lap(times.rest);
        kernel_.product_i8(own_.rows, rows, down.i8, 0, shape_.hidden, output, shape_.hidden);
        times.multiply_adds += double(rows) * inputs * shape_.hidden;
        watch_.lap(times.products);
    }

    // The mean of the last hidden states of some pairs, in `first`; tokens are added up in order.
    void average_pairs(const Block &block) {
        const int width = shape_.hidden;
        for (int i = 0; i < block.last - block.first; ++i) {
            const PlacedPair &pair = pass_.piece_.pairs[size_t(block.first + i)];
            float *mean = own_.first + ptrdiff_t(i) * width;
            std::fill(mean, mean + width, 0.0f);
            for (int row = pair.row; row < pair.row + pair.length; ++row) {
                kernel_.add(shared_.hidden + ptrdiff_t(row) * width, width, mean);
            }
            for (int column = 0; column < width; ++column) {
                mean[column] /= float(pair.length);
            }
        }
    }

    // The last layer for the first tokens of some pairs, in `first`.
    void finish_pairs(const Block &block) {
        const size_t layer = model_.layers.size() - 1;
        const int pairs = block.last - block.first, width = shape_.hidden;
        for (int i = 0; i < pairs; ++i) {
            const PlacedPair &pair = pass_.piece_.pairs[size_t(block.first + i)];
            std::memcpy(own_.first + ptrdiff_t(i) * width,
                        shared_.hidden + ptrdiff_t(pair.row) * width,
                        size_t(width) * sizeof(float));
        }
        multiply(model_.layers[layer].projection, input_of(layer, own_.first, pairs), pairs, 0,
                 width, own_.wide);
        for (int i = 0; i < pairs; ++i) {
            attention_.turn(layer, 0, 1, own_.wide + ptrdiff_t(i) * width, width);
            sound &= attention_.attend_first(layer, pass_.piece_.pairs[size_t(block.first + i)],
                                             own_.wide + ptrdiff_t(i) * width,
                                             own_.context + ptrdiff_t(i) * width);
        }
        watch_.lap(times.attention);
        finish_layer(layer, pairs, own_.first);
    }

    // From the rows in `first` to the logits.
    void apply_head(const Block &block) {
        const Head &head = model_.head;
        const int pairs = block.last - block.first;
        float *rows = own_.first, *next = own_.wide, *other = own_.context;
        int width = shape_.hidden;
        for (const HeadPart &part : head.parts) {
            if (part.norm.weight) {
                sound &= kernel_.norm(rows, width, nullptr, 0, pairs, width, part.norm, rows);
                continue;
            }
            const int count = part.product.outputs;
            kernel_.product_f32(rows, width, pairs, part.product, 0, count, next, count);
            kernel_.activate(next, count, pairs, count, part.activation, false);
            rows = next;
            std::swap(next, other);
            width = count;
        }
        for (int i = 0; i < pairs; ++i) {
            const float logit =
                kernel_.dot(rows + ptrdiff_t(i) * width, head.classifier, width) + head.bias;
            sound &= logit - logit == 0.0f;
            *pass_.piece_.pairs[size_t(block.first + i)].logit = logit;
        }
        watch_.lap(times.rest);
    }
};

Forward::Forward(const Model &model, const kernels::Kernel &kernel, Buffers &buffers,
                 const Piece &piece)
    : model_(model), kernel_(kernel), buffers_(buffers), piece_(piece),
      phases_(model.layers.size() + (model.architecture.head.mean ? 2 : 1)) {}

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
