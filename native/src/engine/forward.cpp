#include "engine/forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "engine/attention.h"
#include "engine/layer_steps.h"

namespace edge_rerank::engine {

namespace {
constexpr float kLeastLength = 1e-8f; // of what a cosine divides by, as in torch

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
} // namespace

// One thread's share of the work: the steps of the model on a block of rows.
class Forward::Thread : public LayerSteps {
  public:
    Thread(Forward &pass, int number)
        : LayerSteps(pass.model_, pass.kernel_, pass.buffers_.threads[size_t(number)]), pass_(pass),
          shared_(pass.buffers_.shared), piece_(pass.piece_),
          attention_(model_, kernel_, shared_, own_) {}

    void run(size_t phase, size_t number) {
        watch_ = Stopwatch();
        if (pass_.is_last(phase)) {
            finish(piece_.ends[number]);
        } else if (phase <= size_t(shape_.encoding())) {
            encode(phase, piece_.blocks[number]);
        } else if (number < piece_.crossing.size()) {
            cross(phase - 1, piece_.crossing[number]);
        } else {
            project(phase, piece_.blocks[number - piece_.crossing.size()]);
        }
    }

  private:
    Forward &pass_;
    const SharedBuffers &shared_;
    const Piece &piece_;
    const Attention attention_;

    float *hidden_of(const Block &block) {
        return shared_.hidden + ptrdiff_t(block.first) * shape_.hidden;
    }

    void encode(size_t phase, const Block &block) {
        if (phase == 0) {
            embed(block, hidden_of(block));
        } else {
            attend(phase - 1, block);
            finish_layer(phase - 1, block.last - block.first, hidden_of(block));
        }
        if (phase < model_.layers.size()) {
            project(phase, block);
        }
    }

    void embed(const Block &block, float *hidden) {
        const Embeddings &tables = model_.embeddings;
        const bool projected = tables.projection.weights != nullptr;
        float *rows = projected ? own_.wide : hidden;
        for_each_sequence(block, [&](const Sequence &sequence, int begin, int end) {
            for (int position = begin; position < end; ++position) {
                const ptrdiff_t row = sequence.row + position - block.first;
                embed_token(sequence, position, rows + row * shape_.embedding);
            }
        });
        const int count = block.last - block.first;
        if (projected) {
            kernel_.product_f32(rows, shape_.embedding, count, tables.projection, 0, shape_.hidden,
                                hidden, shape_.hidden);
        }
        normalize(hidden, nullptr, count, tables.norm, hidden);
        watch_.lap(times.embedding);
    }

    void embed_token(const Sequence &sequence, int position, float *output) {
        const Embeddings &tables = model_.embeddings;
        const ptrdiff_t width = shape_.embedding;
        tables.words.row(kernel_, sequence.ids[position], output);
        if (tables.types) {
            const int type = position >= sequence.first_segment;
            kernel_.add(tables.types + type * width, shape_.embedding, output);
        }
        if (tables.positions) {
            kernel_.add(tables.positions + position * width, shape_.embedding, output);
        }
    }

    // Whether each token of a sequence has a query for its own keys; or else other rows have them.
    bool has_queries(size_t layer) const {
        const size_t encoding = size_t(shape_.encoding());
        return layer < encoding && (layer + 1 < encoding || shape_.head.mean);
    }

    // Makes queries, where there are such, keys and values of a layer.
    void project(size_t layer, const Block &block) {
        const bool queries = has_queries(layer);
        const int first = queries ? 0 : shape_.hidden, count = 3 * shape_.hidden - first;
        const int rows = block.last - block.first;
        multiply(model_.layers[layer].projection, input_of(layer, hidden_of(block), rows), rows,
                 first, count, own_.wide);
        float *row = own_.wide;
        for_each_sequence(block, [&](const Sequence &sequence, int begin, int end) {
            if (queries) {
                attention_.turn(layer, begin, end - begin, row, count);
            }
            for (int position = begin; queries && position < end; ++position) {
                sound &= attention_.store_query(row + (position - begin) * count,
                                                sequence.row + position);
            }
            float *keys = row + (queries ? shape_.hidden : 0);
            attention_.turn(layer, begin, end - begin, keys, count);
            sound &= attention_.store_keys(layer, sequence, begin, end - begin, keys, count);
            row += (end - begin) * count;
        });
        watch_.lap(times.rest);
    }

    // Calls act(sequence, begin, end) for the part of each sequence that lies in the block.
    template <typename Act> void for_each_sequence(const Block &block, Act act) {
        int row = block.first;
        for (int owner = block.owner; row < block.last; ++owner) {
            const Sequence &sequence = piece_.sequences[size_t(owner)];
            const int end = std::min(block.last, sequence.row + sequence.length);
            act(sequence, row - sequence.row, end - sequence.row);
            row = end;
        }
    }

    void attend(size_t layer, const Block &block) {
        for_each_sequence(block, [&](const Sequence &sequence, int begin, int end) {
            const ptrdiff_t row = sequence.row + begin - block.first;
            sound &= attention_.attend(layer, sequence, begin, end - begin,
                                       own_.context + row * shape_.hidden);
        });
        watch_.lap(times.attention);
    }

    // Calls act(pair, begin, rows) for the part of each pair's first text that lies in a block of
    // rows that look across.
    template <typename Act> void for_each_crossing(const Block &block, Act act) {
        int row = block.first;
        for (int owner = block.owner; row < block.last; ++owner) {
            const PlacedPair &pair = piece_.pairs[size_t(owner)];
            const int end = std::min(block.last, pair.row + pair.rows);
            if (row < end) { // a text may have no tokens
                act(pair, row - pair.row, end - row);
                row = end;
            }
        }
    }

    // A layer across for some rows of first texts, in place.
    void cross(size_t layer, const Block &block) {
        const ptrdiff_t width = shape_.hidden;
        const int rows = block.last - block.first;
        float *hidden = shared_.crossing + block.first * width;
        if (layer == size_t(shape_.encoding())) {
            for_each_crossing(block, [&](const PlacedPair &pair, int begin, int count) {
                const ptrdiff_t from = piece_.sequences[size_t(pair.sequence)].row + begin;
                std::memcpy(shared_.crossing + (pair.row + begin) * width,
                            shared_.hidden + from * width, size_t(count * width) * sizeof(float));
            });
        }
        multiply(model_.layers[layer].projection, hidden, rows, 0, shape_.hidden, own_.wide);
        for_each_crossing(block, [&](const PlacedPair &pair, int begin, int count) {
            const ptrdiff_t at = (pair.row + begin - block.first) * width;
            float *context = own_.context + at;
            if (pair.second == kNoSequence) {
                std::fill(context, context + count * width, 0.0f);
                return;
            }
            sound &= attention_.attend_with(layer, piece_.sequences[size_t(pair.second)],
                                            own_.wide + at, count, context);
        });
        watch_.lap(times.attention);
        finish_layer(layer, rows, hidden);
    }

    void finish(const Block &pairs) {
        shape_.head.mean ? average_pairs(pairs) : finish_pairs(pairs);
        apply_head(pairs);
    }

    // The mean of what the head reads of some pairs, in `first`.
    void average_pairs(const Block &block) {
        for (int i = 0; i < block.last - block.first; ++i) {
            const PlacedPair &pair = piece_.pairs[size_t(block.first + i)];
            float *mean = own_.first + ptrdiff_t(i) * shape_.hidden;
            if (shape_.apart()) {
                average(shared_.crossing, pair.row, pair.rows, mean);
            } else {
                average_sequence(pair.sequence, mean);
            }
        }
    }

    void average_sequence(int number, float *mean) {
        const Sequence &sequence = piece_.sequences[size_t(number)];
        average(shared_.hidden, sequence.row, sequence.length, mean);
    }

    // The mean of some rows, which are added up in order; that of none is 0.
    void average(const float *hidden, int first, int rows, float *mean) {
        const int width = shape_.hidden;
        std::fill(mean, mean + width, 0.0f);
        for (int row = first; row < first + rows; ++row) {
            kernel_.add(hidden + ptrdiff_t(row) * width, width, mean);
        }
        for (int column = 0; rows && column < width; ++column) {
            mean[column] /= float(rows);
        }
    }

    // Of the means of a pair's texts, as they were before the layers across.
    float cosine(const PlacedPair &pair) {
        if (pair.sequence == kNoSequence || pair.second == kNoSequence) {
            return 0;
        }
        const int width = shape_.hidden;
        float *query = own_.middle, *passage = own_.middle + width;
        average_sequence(pair.sequence, query);
        average_sequence(pair.second, passage);
        const auto length = [&](const float *mean) {
            return std::max(std::sqrt(kernel_.dot(mean, mean, width)), kLeastLength);
        };
        return kernel_.dot(query, passage, width) / (length(query) * length(passage));
    }

    const Sequence &sequence_of(const Block &pairs, int number) const {
        const PlacedPair &pair = piece_.pairs[size_t(pairs.first + number)];
        return piece_.sequences[size_t(pair.sequence)];
    }

    // The last layer for the first tokens of some pairs, in `first`.
    void finish_pairs(const Block &block) {
        const size_t layer = model_.layers.size() - 1;
        const int pairs = block.last - block.first, width = shape_.hidden;
        for (int i = 0; i < pairs; ++i) {
            std::memcpy(own_.first + ptrdiff_t(i) * width,
                        shared_.hidden + ptrdiff_t(sequence_of(block, i).row) * width,
                        size_t(width) * sizeof(float));
        }
        multiply(model_.layers[layer].projection, input_of(layer, own_.first, pairs), pairs, 0,
                 width, own_.wide);
        for (int i = 0; i < pairs; ++i) {
            attention_.turn(layer, 0, 1, own_.wide + ptrdiff_t(i) * width, width);
            sound &= attention_.attend_with(layer, sequence_of(block, i),
                                            own_.wide + ptrdiff_t(i) * width, 1,
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
            const PlacedPair &pair = piece_.pairs[size_t(block.first + i)];
            float logit =
                kernel_.dot(rows + ptrdiff_t(i) * width, head.classifier, width) + head.bias;
            if (shape_.apart()) {
                logit += head.cosine_scale * cosine(pair);
            }
            sound &= logit - logit == 0.0f;
            *pair.logit = logit;
        }
        watch_.lap(times.rest);
    }
};

Forward::Forward(const Model &model, const kernels::Kernel &kernel, Buffers &buffers,
                 const Piece &piece)
    : model_(model), kernel_(kernel), buffers_(buffers), piece_(piece),
      phases_(model.layers.size() + (model.architecture.head.mean ? 2 : 1)) {}

int Forward::count_blocks(size_t phase) const {
    if (is_last(phase)) {
        return int(piece_.ends.size());
    }
    if (phase <= size_t(model_.architecture.encoding())) {
        return int(piece_.blocks.size());
    }
    const bool keys_for_next = phase < model_.layers.size();
    return int(piece_.crossing.size()) + (keys_for_next ? int(piece_.blocks.size()) : 0);
}

edge_rerank_times Forward::work(int number) {
    Thread thread(*this, number);
    for (size_t phase = 0; phase < phases_.size(); ++phase) {
        Progress &progress = phases_[phase];
        const int count = count_blocks(phase);
        for (int block; (block = progress.next.fetch_add(1)) < count;) {
            thread.run(phase, size_t(block));
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
