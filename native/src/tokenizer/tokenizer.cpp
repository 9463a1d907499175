#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/pool.h"
#include "tokenizer/file.h"

namespace edge_rerank::tokenizer {

namespace {
// A thread is started for this much to read: about two milliseconds, forty times its cost.
constexpr size_t kBytesOfThread = 1 << 16;
constexpr size_t kPairsOfTurn = 8; // which a thread takes at a time
constexpr size_t kMoreTokens = 4;
constexpr uint8_t kGoesOn = 2; // in place of whether a pair was cut: its document was too short

// One query with many documents is checked and encoded once, however long it is.
bool repeats(const edge_rerank_text *texts, size_t index) {
    return index && texts[index].data == texts[index - 1].data &&
           texts[index].size == texts[index - 1].size;
}
} // namespace

// The pairs from one place on, with what is kept from pair to pair.
class Tokenizer::Run {
  public:
    Run(const Tokenizer &tokenizer, const PairTexts &texts) : all_(tokenizer), texts_(texts) {}

    // Writes the pair's ids, and gives what is to be known of it.
    EncodedPair encode(size_t pair, int32_t *ids) {
        Text document = document_of(pair);
        if (!query_of_ || !same_query(pair)) {
            query_limit_ = 0;
        }
        query_of_ = &texts_.queries[pair];
        const size_t room = all_.room();
        size_t most = room + 1;
        bool known = read(pair, document, most);
        // Which of two texts is the longer one decides where the odd token of room goes.
        while (known && room % 2 && query_.size() >= most && document_.size() >= most) {
            most *= kMoreTokens;
            known = read(pair, document, most);
        }
        EncodedPair result = all_.template_.join(query_, document_, size_t(all_.max_length_), ids);
        result.truncated = known ? uint8_t(result.truncated != 0) : kGoesOn;
        return result;
    }

  private:
    const Tokenizer &all_;
    const PairTexts &texts_;
    Scratch scratch_;
    std::vector<int32_t> query_, document_;
    const edge_rerank_text *query_of_ = nullptr;
    size_t query_limit_ = 0; // of its tokens; 0: it is not encoded yet

    bool same_query(size_t pair) const {
        const edge_rerank_text &query = texts_.queries[pair];
        return query.data == query_of_->data && query.size == query_of_->size;
    }

    Text document_of(size_t pair) const {
        const bool goes_on = texts_.documents_go_on && texts_.documents_go_on[pair];
        return {texts_.documents[pair], "document", pair, goes_on};
    }

    bool read(size_t pair, Text &document, size_t most) {
        if (query_limit_ < most) {
            Text query(texts_.queries[pair], "query", pair, false);
            all_.encoder_.encode(query, most, scratch_, query_);
            query_limit_ = most;
        }
        return all_.encoder_.encode(document, most, scratch_, document_);
    }
};

Tokenizer::Tokenizer(const std::string &path, int32_t max_length)
    : Tokenizer(TokenizerFile::read(path), max_length) {}

Tokenizer::Tokenizer(const TokenizerFile &file, int32_t max_length)
    : encoder_(file), template_(file.parts.find("post_processor"), file.path),
      max_length_(max_length) {
    for (const auto &part : file.parts.members()) {
        // What the others say has no bearing on the ids of pairs that are cut here.
        static const std::string_view known[] = {"version",        "truncation", "padding",
                                                 "added_tokens",   "normalizer", "pre_tokenizer",
                                                 "post_processor", "decoder"};
        bool is_known = false;
        for (const std::string_view name : known) {
            is_known = is_known || part.first == name;
        }
        if (!is_known) {
            unsupported(file.path + ": \"" + part.first + "\" is not known");
        }
    }
    const size_t least = template_.specials() + 2;
    if (max_length < 0 || size_t(max_length) < least) {
        invalid_argument("max_length is " + std::to_string(max_length) + "; at least " +
                         std::to_string(least) +
                         " are needed: " + std::to_string(template_.specials()) +
                         " special tokens and one of each text");
    }
}

// All pairs of a call, alone or on several threads.
class Tokenizer::Shared {
  public:
    Shared(const Tokenizer &tokenizer, const PairTexts &texts, const PairIds &result)
        : all_(tokenizer), texts_(texts), result_(result) {}

    void run_alone() {
        Run run(all_, texts_);
        result_.offsets[0] = 0;
        for (size_t i = 0; i < texts_.count; ++i) {
            const int64_t start = result_.offsets[i];
            result_.offsets[i + 1] = start + encode(run, i, result_.ids + start);
        }
    }

    // False when no threads can be had.
    bool run(int threads) {
        std::unique_ptr<Pool> pool;
        try {
            pool = std::make_unique<Pool>(threads);
        } catch (const Error &) {
            return false;
        }
        pool->run([this](int) { take_turns(); });
        if (error_) {
            std::rethrow_exception(error_);
        }
        close_ranks();
        return true;
    }

  private:
    const Tokenizer &all_;
    const PairTexts &texts_;
    const PairIds &result_;
    std::mutex mutex_;
    size_t next_ = 0;
    size_t failed_ = SIZE_MAX; // the first pair that did
    std::exception_ptr error_;

    size_t room_of_pair() const { return size_t(all_.max_length_); }

    int64_t encode(Run &run, size_t pair, int32_t *ids) {
        const EncodedPair encoded = run.encode(pair, ids);
        if (result_.first_segments) {
            result_.first_segments[pair] = int32_t(encoded.first_segment);
        }
        if (result_.truncated) {
            result_.truncated[pair] = encoded.truncated;
        }
        return int64_t(encoded.size);
    }

    // Each pair's ids go where they would be if all were of full length, and how many they are into
    // the offsets.
    void take_turns() {
        size_t pair = 0;
        try {
            Run run(all_, texts_);
            for (size_t start; (start = next_turn()) < texts_.count;) {
                const size_t end = std::min(start + kPairsOfTurn, texts_.count);
                for (pair = start; pair < end; ++pair) {
                    int32_t *ids = result_.ids + pair * room_of_pair();
                    result_.offsets[pair + 1] = encode(run, pair, ids);
                }
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            next_ = texts_.count;
            if (pair < failed_) {
                failed_ = pair;
                error_ = std::current_exception();
            }
        }
    }

    size_t next_turn() {
        const std::lock_guard<std::mutex> lock(mutex_);
        const size_t start = next_;
        next_ = std::min(start + kPairsOfTurn, texts_.count);
        return start;
    }

    void close_ranks() {
        result_.offsets[0] = 0;
        for (size_t i = 0; i < texts_.count; ++i) {
            const int64_t size = result_.offsets[i + 1], start = result_.offsets[i];
            std::memmove(result_.ids + start, result_.ids + i * room_of_pair(),
                         size_t(size) * sizeof result_.ids[0]);
            result_.offsets[i + 1] = start + size;
        }
    }
};

// Gives how many bytes there are to read, as far as that can be told.
size_t Tokenizer::check(const PairTexts &texts) const {
    const size_t look = Encoder::first_look(room() + 1);
    size_t bytes = 0;
    for (size_t i = 0; i < texts.count; ++i) {
        if (!repeats(texts.queries, i)) {
            bytes += Text(texts.queries[i], "query", i, false).first(look).size();
        }
        bytes += Text(texts.documents[i], "document", i, false).first(look).size();
    }
    return bytes;
}

void Tokenizer::encode(const PairTexts &texts, const PairIds &result, int threads) const {
    const size_t useful = std::min(check(texts) / kBytesOfThread, texts.count / kPairsOfTurn);
    const int wanted = int(std::min(size_t(std::max(threads, 1)), useful));
    Shared shared(*this, texts, result);
    if (wanted < 2 || !shared.run(wanted)) {
        shared.run_alone();
    }
}

void Tokenizer::describe(edge_rerank_tokenizer_info &info) const {
    info.max_length = max_length_;
    info.special_tokens = int32_t(template_.specials());
    info.vocabulary = encoder_.model().size();
    info.memory_bytes = encoder_.model().memory();
    info.model = encoder_.model().name();
}

} // namespace edge_rerank::tokenizer
