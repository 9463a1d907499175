// Fuzzes the loader: an input is an artifact (folder.h), which is opened and, when it opens, scored
// with two kernels that must agree to the last bit.
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "edge_rerank.h"
#include "folder.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

namespace {
using fuzz::Input;

constexpr uint8_t kTwoThreads = 8, kShort = 16; // flags; 2, 4 and 32 pick the kernel
constexpr int kLongest = 40;                    // tokens of a pair that is scored

edge_rerank_options options_of(uint8_t flags, const char *kernel) {
    edge_rerank_options options{};
    options.size = sizeof options;
    options.threads = flags & kTwoThreads ? 2 : 1;
    options.max_length = flags & kShort ? 5 : 0;
    options.tokens_in_flight = 16; // the longest pair fills a piece
    options.kernel = kernel;
    return options;
}

struct Result {
    edge_rerank_status status;
    std::vector<float> logits;
};

// Scores pairs of several lengths, so that some share a piece and some do not.
Result score(edge_rerank_engine *engine) {
    edge_rerank_info info{};
    info.size = sizeof info;
    fuzz::check(edge_rerank_describe(engine, &info) == EDGE_RERANK_OK, "describe failed");
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets{0};
    for (const int wanted : {1, 2, 5, kLongest, 17, 2}) {
        const int length = wanted < info.max_length ? wanted : info.max_length;
        for (int i = 0; i < length; ++i) {
            ids.push_back((i * 7 + 3) % info.vocabulary);
        }
        offsets.push_back(int64_t(ids.size()));
        first_segments.push_back(info.token_types == 1 ? length : length / 2);
    }
    const size_t count = first_segments.size();
    Result result{0, std::vector<float>(count, -1.5f)};
    result.status = edge_rerank_score(engine, ids.data(), offsets.data(), first_segments.data(),
                                      count, result.logits.data());
    fuzz::check_status(result.status, EDGE_RERANK_NOT_FINITE);
    if (result.status == EDGE_RERANK_OK) {
        fuzz::check_finite(result.logits);
        fuzz::check(std::memcmp(&result.logits[1], &result.logits[5], sizeof(float)) == 0,
                    "a pair's score depends on its place");
    } else {
        fuzz::check(result.logits == std::vector<float>(count, -1.5f),
                    "a call that failed wrote logits");
    }
    return result;
}

Result run(uint8_t flags, const char *kernel) {
    const edge_rerank_options options = options_of(flags, kernel);
    edge_rerank_engine *engine = nullptr;
    Result result{edge_rerank_open(fuzz::folder().c_str(), &options, &engine), {}};
    fuzz::check((result.status == EDGE_RERANK_OK) == (engine != nullptr), "a handle of a failure");
    if (result.status == EDGE_RERANK_OK) {
        result = score(engine);
    } else {
        fuzz::check_status(result.status, EDGE_RERANK_UNSUPPORTED);
    }
    edge_rerank_close(engine);
    return result;
}

using Random = std::minstd_rand;

size_t below(Random &random, size_t most) { return most ? random() % most : 0; }

// Replaces a number of a JSON text by another one, everywhere where it stands with some luck: a
// size that is changed in one place alone is refused early.
void change_number(std::string &text, Random &random) {
    static const char *const values[] = {"0",          "1",
                                         "2",          "4",
                                         "8",          "15",
                                         "16",         "17",
                                         "32",         "64",
                                         "48",         "-1",
                                         "3",          "1e3",
                                         "65536",      "1048576",
                                         "2147483648", "1e-7",
                                         "5",          "0.5",
                                         "1e300",      "9007199254740992"};
    const char *const digits = "0123456789";
    size_t at = text.find_first_of(digits, below(random, text.size()));
    if (at == std::string::npos) {
        return;
    }
    const size_t end = std::min(text.find_first_not_of(digits, at), text.size());
    const std::string old = text.substr(at, end - at);
    const std::string fresh = values[below(random, sizeof values / sizeof *values)];
    const bool everywhere = random() % 4 == 0;
    do {
        text.replace(at, old.size(), fresh);
        at = text.find(old, at + fresh.size());
    } while (everywhere && at != std::string::npos && text.size() < 60000);
}

// Sets a value of the data to one that arithmetic may trip over.
void change_value(std::string &data, Random &random) {
    static const uint32_t values[] = {0,          0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000,
                                      0x5368D4A5, 0xD368D4A5, 0x7F7FFFFF, 1,          0x00800000,
                                      0x3F800000, 0x80808080, 0x7F7F7F7F, 0x4B7FFFFF, 0x2B8CBCCC};
    if (data.size() < 4) {
        return;
    }
    const uint32_t value = values[below(random, sizeof values / sizeof *values)];
    size_t at = below(random, data.size() / 4) * 4;
    // One value, or a row of them.
    for (size_t count = random() % 3 ? 1 : 16; count && at + 4 <= data.size(); --count, at += 4) {
        std::memcpy(&data[at], &value, 4);
    }
}

void mutate_bytes(std::string &part, size_t most) {
    const size_t size = part.size();
    part.resize(std::max(most, size));
    part.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(&part[0]), size, part.size()));
}
} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    Random random(seed);
    if (size < fuzz::kFront || random() % 16 == 0) {
        return LLVMFuzzerMutate(bytes, size, most);
    }
    Input input = Input::read(bytes, size);
    const size_t room = most > size ? std::min(most - size, size_t(256)) : 0;
    std::string &part =
        *std::vector<std::string *>{&input.manifest, &input.header, &input.data}[random() % 3];
    switch (random() % 4) {
        case 0: mutate_bytes(part, part.size() + room); break;
        case 1: change_value(input.data, random); break;
        case 2: input.flags = uint8_t(random()) & ~(random() % 8 ? fuzz::kRawWeights : 0); break;
        default: change_number(random() % 2 ? input.manifest : input.header, random);
    }
    const std::string text = input.write();
    const size_t length = std::min(text.size(), most);
    std::memcpy(bytes, text.data(), length);
    return length;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const Input input = Input::read(bytes, size);
    fuzz::write_artifact(input);
    const size_t number = (input.flags >> 1 & 3) | (input.flags >> 3 & 4);
    const std::vector<std::string> kernels = fuzz::kernels();
    const std::string &kernel = kernels[number % kernels.size()];
    const Result scalar = run(input.flags, "scalar");
    if (kernel != "scalar") {
        const Result other = run(input.flags, kernel.c_str());
        fuzz::check(other.status == scalar.status, "two kernels give another status");
        for (size_t i = 0; i < scalar.logits.size(); ++i) {
            fuzz::check(std::memcmp(&other.logits[i], &scalar.logits[i], sizeof(float)) == 0,
                        "two kernels give other bits");
        }
    }
    return 0;
}
