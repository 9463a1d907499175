#include "engine/architecture.h"

#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/file_bytes.h"
#include "base/json.h"
#include "engine/fields.h"
#include "engine/words.h"

namespace edge_rerank::engine {

using kernels::Activation, kernels::kLanes, kernels::kMostHead;

namespace {
constexpr size_t kLargestManifest = 4 << 20;
constexpr int kMost = 1 << 20; // of any size; far beyond any model, far below any overflow
constexpr size_t kMostSteps = 64;
constexpr int kMostLength = 1 << 16, kMostWidth = 1 << 15, kMostWords = 1 << 28;
constexpr std::string_view kFamilies[] = {"deberta-v2",  "bert",       "roberta",
                                          "xlm-roberta", "modernbert", "segment-bert"};

Activation activation_named(const std::string &name) {
    if (name == "gelu") {
        return Activation::gelu;
    }
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") {
        return Activation::gelu_tanh;
    }
    if (name == "relu") {
        return Activation::relu;
    }
    if (name == "tanh") {
        return Activation::tanh;
    }
    unsupported("the activation function '" + name + "' is not one of gelu, gelu_new, relu, tanh");
}

void check_family(const std::string &name, const std::string &where) {
    std::string known;
    for (const std::string_view family : kFamilies) {
        if (name == family) {
            return;
        }
        known.append(known.empty() ? "" : ", ").append(family);
    }
    unsupported(where + " is '" + name + "'; expected one of " + known);
}

// What this engine has two ways of doing: another one is refused by name.
bool is_second(const Fields &fields, std::string_view name, std::string_view first,
               std::string_view second) {
    const std::string &found = fields.text(name);
    if (found != first && found != second) {
        unsupported("the manifest's " + std::string(name) + " is '" + found + "'; this engine " +
                    "knows '" + std::string(first) + "' and '" + std::string(second) + "'");
    }
    return found == second;
}

// What both formats have under the same names.
void read_sizes(const Fields &fields, Architecture &shape) {
    shape.layers = fields.whole("layers", 1, 1024);
    shape.hidden = fields.whole("hidden_size", 1, kMostWidth);
    shape.heads = fields.whole("heads", 1, kMostWidth);
    shape.head_size = fields.whole("head_size", 1, kMostWidth);
    shape.intermediate = fields.whole("intermediate_size", 1, kMostWidth);
    shape.vocabulary = fields.whole("vocab_size", 1, kMostWords);
    shape.embedding = fields.whole("embedding_size", 1, kMostWidth);
    if (int64_t(shape.heads) * shape.head_size != shape.hidden) {
        fields.fail("head_size", "hidden_size / heads");
    }
    shape.local.resize(size_t(shape.layers));
}

Positions read_terms(const Fields &fields, std::string_view name) {
    Positions terms;
    for (const Json &term : fields.take(name, Json::Kind::list, "a list").list()) {
        terms.c2p |= term.text() == "c2p";
        terms.p2c |= term.text() == "p2c";
        if (term.text() != "c2p" && term.text() != "p2c") {
            fields.fail(name, "a list of c2p and p2c");
        }
    }
    return terms;
}

// Scores are divided by the root of the head's size times `terms`.
float score_factor(const Architecture &shape, int terms) {
    return float(1 / std::sqrt(double(shape.head_size) * terms));
}

// A product as wide as the model, of the first token.
HeadShape dense_head(int hidden, const std::string &activation) {
    HeadShape head;
    head.named_as_pooler = true;
    head.steps.push_back({false, hidden, activation_named(activation), 0});
    return head;
}

HeadStep read_step(const Fields &step) {
    HeadStep read;
    read.norm = is_second(step, "kind", "dense", "norm");
    if (read.norm) {
        read.epsilon = step.fraction("epsilon");
    } else {
        read.outputs = step.whole("outputs", 1, kMostWidth);
        read.activation = step.is_null("activation") ? Activation::none
                                                     : activation_named(step.text("activation"));
    }
    return read;
}

HeadShape read_head(const Fields &head, int hidden) {
    if (!is_second(head, "kind", "dense", "steps")) {
        return dense_head(hidden, head.text("activation"));
    }
    HeadShape read;
    read.mean = is_second(head, "pooling", "first", "mean");
    for (const Fields &step : head.children("steps", kMostSteps)) {
        read.steps.push_back(read_step(step));
    }
    return read;
}

void read_local(const Fields &fields, Architecture &shape) {
    if (!fields.has("local_attention")) {
        return;
    }
    const Fields local = fields.child("local_attention");
    shape.reach = local.whole("reach", 1, kMost);
    for (const Json &layer : local.take("layers", Json::Kind::list, "a list").list()) {
        if (!layer.whole() || layer.number() < 0 || layer.number() >= shape.layers) {
            local.fail("layers", "a list of layers' numbers");
        }
        shape.local[size_t(layer.number())] = true;
    }
}

// Texts that are read apart, of a model that has nothing else than BERT has.
void read_segments(const Fields &fields, Architecture &shape) {
    if (!fields.has("segments")) {
        return;
    }
    const Fields segments = fields.child("segments");
    shape.crossing = segments.whole("crossing", 1, shape.layers - 1);
    shape.crossing_epsilon = segments.fraction("norm_epsilon");
    const Positions &positions = shape.positions;
    if (positions.c2p || positions.p2c || positions.rotary || shape.reach || shape.norm_before ||
        !shape.head.mean || shape.token_types != 2) {
        unsupported("the manifest's segments go with two token types, absolute positions alone, "
                    "norms after each half of a layer and a head of the mean");
    }
}

// A DeBERTa-v2 under the names of its configuration.
void read_format_1(const Fields &fields, Architecture &shape) {
    check_family(fields.text("model_type"), "model_type");
    shape.token_types = fields.whole("type_vocab_size", 0, kMost);
    const Positions terms = read_terms(fields, "pos_att_type");
    if (fields.flag("relative_attention")) {
        shape.positions = terms;
    }
    shape.positions.absolute = fields.flag("position_biased_input")
                                   ? fields.whole("max_position_embeddings", 1, kMost)
                                   : 0;
    shape.activation = activation_named(fields.text("hidden_act"));
    shape.head = dense_head(shape.hidden, fields.text("pooler_hidden_act"));
    shape.norm_epsilon = fields.fraction("layer_norm_eps");
    // transformers scales by the number of terms asked for, even where none is computed.
    shape.score_factor = score_factor(shape, 1 + int(terms.c2p) + int(terms.p2c));
}

void read_format_2(const Fields &fields, Architecture &shape) {
    check_family(fields.text("family"), "family");
    shape.token_types = fields.whole("token_types", 0, kMost);
    const Fields positions = fields.child("positions");
    if (!positions.is_null("relative")) {
        shape.positions = read_terms(positions.child("relative"), "terms");
    }
    shape.positions.absolute = positions.whole("absolute", 0, kMost);
    if (positions.has("rotary")) {
        shape.positions.rotary = true;
        shape.positions.local_rotary = !positions.child("rotary").is_null("local_base");
    }
    read_local(fields, shape);
    shape.norm_before = is_second(fields, "norm", "after", "before");
    shape.norm_epsilon = fields.fraction("norm_epsilon");
    const Fields feed_forward = fields.child("feed_forward");
    shape.gated = is_second(feed_forward, "kind", "plain", "gated");
    shape.activation = activation_named(feed_forward.text("activation"));
    shape.head = read_head(fields.child("head"), shape.hidden);
    shape.score_factor = score_factor(shape, fields.whole("score_terms", 1, 3));
    read_segments(fields, shape);
}

void check_supported(const Architecture &shape) {
    const auto need = [](bool holds, const std::string &what) {
        if (!holds) {
            unsupported(what + "; use the ONNX Runtime engine for this model");
        }
    };
    need(shape.hidden % kLanes == 0, "hidden_size is not a multiple of 16");
    need(shape.intermediate % kLanes == 0, "intermediate_size is not a multiple of 16");
    need(shape.embedding % kLanes == 0, "embedding_size is not a multiple of 16");
    if (shape.embedding_bits == 4 && shape.embedding % kWordGroup != 0) {
        bad_artifact("embedding_size is not a multiple of 32, and embedding_bits is 4");
    }
    need(shape.head_size % 4 == 0 && shape.head_size <= kMostHead,
         "head_size is not a multiple of 4 up to 256");
    need(shape.activation != Activation::tanh, "the activation function tanh in the layers");
    for (const HeadStep &step : shape.head.steps) {
        need(step.outputs % kLanes == 0, "a step of the head is not a multiple of 16 wide");
    }
}

int read_embedding_bits(const Fields &manifest, bool int8) {
    if (!manifest.has("embedding_bits")) {
        return int8 ? 8 : 32;
    }
    const int bits = manifest.whole("embedding_bits", 1, 32);
    if (!int8 || (bits != 8 && bits != 4)) {
        manifest.fail("embedding_bits", int8 ? "8 or 4" : "null");
    }
    return bits;
}

Scoring read_scoring(const Fields &manifest) {
    Scoring scoring{manifest.text_or("prompt", ""), manifest.text_or("activation", "sigmoid")};
    if (scoring.activation != "sigmoid" && scoring.activation != "identity" &&
        scoring.activation != "tanh") {
        manifest.fail("activation", "sigmoid, identity or tanh");
    }
    return scoring;
}

int format_version(const Fields &manifest, const std::string &path) {
    const int version = manifest.text("format") == "edge-rerank-artifact"
                            ? manifest.whole("format_version", 0, kMost)
                            : 0;
    if (version != 1 && version != 2) {
        bad_artifact(path + ": not an edge-rerank artifact of format version 1 or 2");
    }
    return version;
}
} // namespace

Architecture Architecture::read(const std::string &folder) {
    const std::string path = folder + "/manifest.json";
    const std::string text = read_text(path, kLargestManifest);
    const Json manifest = Json::parse(text, path);
    const Fields top(manifest, path);
    const int version = format_version(top, path);
    const std::string &precision = top.text("precision");
    if (precision != "int8" && precision != "fp32") {
        top.fail("precision", "int8 or fp32");
    }
    Architecture shape;
    shape.int8 = precision == "int8";
    shape.embedding_bits = read_embedding_bits(top, shape.int8);
    shape.max_length = top.whole("max_length", 1, kMostLength);
    shape.scoring = read_scoring(top);
    const Fields fields = top.child("architecture");
    read_sizes(fields, shape);
    version == 1 ? read_format_1(fields, shape) : read_format_2(fields, shape);
    if (shape.positions.absolute && shape.positions.absolute < shape.max_length) {
        top.fail("max_length", "at most the number of absolute positions");
    }
    check_supported(shape);
    return shape;
}

} // namespace edge_rerank::engine
