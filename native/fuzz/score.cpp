// Fuzzes the scoring call: an input is ids, offsets and lengths, sound or absurd, for one of the
// artifacts in the folder that EDGE_RERANK_FUZZ_ARTIFACTS names (seeds.py makes it).
//
// What the library cannot check is left out: the arrays are as long as the count says.
#include <dirent.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>

#include "check.h"

namespace {
constexpr float kUntouched = -1.5f;

struct Close {
    void operator()(edge_rerank_engine *engine) const { edge_rerank_close(engine); }
};
using Engine = std::unique_ptr<edge_rerank_engine, Close>;

std::vector<Engine> open_all() {
    const char *folder = getenv("EDGE_RERANK_FUZZ_ARTIFACTS");
    DIR *list = folder ? opendir(folder) : nullptr;
    if (!list) {
        fprintf(stderr, "EDGE_RERANK_FUZZ_ARTIFACTS must name a folder of artifacts\n");
        exit(1);
    }
    std::vector<std::string> names;
    while (const dirent *entry = readdir(list)) {
        if (entry->d_name[0] != '.') {
            names.push_back(std::string(folder) + "/" + entry->d_name);
        }
    }
    closedir(list);
    std::sort(names.begin(), names.end());
    std::vector<Engine> engines;
    for (const std::string &name : names) {
        for (const std::string &kernel : fuzz::kernels()) {
            edge_rerank_options options{};
            options.size = sizeof options;
            options.threads = int(engines.size() % 3) + 1;
            options.tokens_in_flight = 48;
            options.kernel = kernel.c_str();
            edge_rerank_engine *engine = nullptr;
            fuzz::check(edge_rerank_open(name.c_str(), &options, &engine) == EDGE_RERANK_OK,
                        name.c_str());
            engines.emplace_back(engine);
        }
    }
    fuzz::check(!engines.empty(), "no artifacts to score with");
    return engines;
}

// Takes numbers from the input; zeros when it is used up.
class Source {
  public:
    Source(const uint8_t *data, size_t size) : data_(data), size_(size) {}

    bool empty() const { return size_ == 0; }

    uint8_t byte() {
        if (size_ == 0) {
            return 0;
        }
        --size_;
        return *data_++;
    }

    // Mostly as it comes; 255 says that an absurd number follows.
    int64_t number() {
        const uint8_t first = byte();
        if (first != 255) {
            return first;
        }
        uint64_t value = 0;
        for (int i = 0; i < 8; ++i) {
            value = value << 8 | byte();
        }
        return int64_t(value);
    }

  private:
    const uint8_t *data_;
    size_t size_;
};

struct Pairs {
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets{0};
};

// Sound pairs, but for what the input makes absurd.
Pairs read_pairs(Source &source, const edge_rerank_info &info) {
    Pairs pairs;
    const size_t count = source.byte() % 24;
    for (size_t i = 0; i < count; ++i) {
        const uint8_t kind = source.byte();
        const int64_t length = kind & 1 ? source.number() : 1 + source.byte() % info.max_length;
        const size_t real = size_t(std::clamp<int64_t>(length, 0, 300));
        for (size_t token = 0; token < real; ++token) {
            pairs.ids.push_back(kind & 2 ? int32_t(source.number())
                                         : int32_t(token * 5 + kind) % info.vocabulary);
        }
        pairs.first_segments.push_back(kind & 4 ? int32_t(source.number()) : int32_t(real));
        // Offsets are worked out as unsigned numbers: absurd ones wrap.
        const int64_t end = int64_t(uint64_t(pairs.offsets.back()) + uint64_t(length));
        pairs.offsets.push_back(kind & 8 ? source.number() : end);
    }
    if (source.byte() == 1) {
        pairs.offsets[0] = source.number();
    }
    // A pair that passes the checks reads at most this many ids.
    pairs.ids.resize(std::max(pairs.ids.size(), count * size_t(info.max_length) + 1));
    return pairs;
}

// Whether a call must succeed, worked out anew.
bool sound(const Pairs &pairs, const edge_rerank_info &info) {
    bool result = pairs.offsets[0] == 0;
    for (size_t i = 0; result && i < pairs.first_segments.size(); ++i) {
        const int64_t begin = pairs.offsets[i], end = pairs.offsets[i + 1];
        result = end > begin && end <= begin + info.max_length;
        for (int64_t at = begin; result && at < end; ++at) {
            result = pairs.ids[size_t(at)] >= 0 && pairs.ids[size_t(at)] < info.vocabulary;
        }
        if (result && info.token_types) {
            const int64_t first = pairs.first_segments[i];
            result = first >= (info.token_types == 1 ? end - begin : 0) && first <= end - begin;
        }
    }
    return result;
}

// A pair scored alone must have the bits that it had among others.
void check_alone(edge_rerank_engine *engine, const Pairs &pairs, const std::vector<float> &logits,
                 size_t pair) {
    const int64_t begin = pairs.offsets[pair], end = pairs.offsets[pair + 1];
    const int64_t offsets[] = {0, end - begin};
    float logit = kUntouched;
    const edge_rerank_status status = edge_rerank_score(engine, &pairs.ids[size_t(begin)], offsets,
                                                        &pairs.first_segments[pair], 1, &logit);
    fuzz::check(status == EDGE_RERANK_OK, "a pair fails alone");
    fuzz::check(std::memcmp(&logit, &logits[pair], sizeof logit) == 0,
                "a pair's score depends on its neighbours");
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const std::vector<Engine> engines = open_all();
    Source source(bytes, size);
    edge_rerank_engine *engine = engines[source.byte() % engines.size()].get();
    edge_rerank_info info{};
    info.size = sizeof info;
    fuzz::check(edge_rerank_describe(engine, &info) == EDGE_RERANK_OK, "describe failed");
    const Pairs pairs = read_pairs(source, info);
    const size_t count = pairs.first_segments.size();
    std::vector<float> logits(count + 1, kUntouched);
    const edge_rerank_status status =
        edge_rerank_score(engine, pairs.ids.data(), pairs.offsets.data(),
                          pairs.first_segments.data(), count, logits.data());
    fuzz::check_status(status, EDGE_RERANK_INVALID_ARGUMENT);
    fuzz::check((status == EDGE_RERANK_OK) == (count == 0 || sound(pairs, info)),
                "sound pairs fail, or others do not");
    fuzz::check(logits[count] == kUntouched, "wrote beyond the logits");
    if (status != EDGE_RERANK_OK) {
        fuzz::check(logits == std::vector<float>(count + 1, kUntouched),
                    "a call that failed wrote logits");
    } else if (count) {
        logits.pop_back();
        fuzz::check_finite(logits);
        check_alone(engine, pairs, logits, source.byte() % count);
    }
    return 0;
}
