#include "engine/architecture.h"

#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/file_bytes.h"
#include "base/json.h"
#include "engine/fields.h"

namespace edge_rerank::engine {

using kernels::Activation, kernels::kLanes, kernels::kMostHead;

namespace {
constexpr size_t kLargestManifest = 4 << 20;
constexpr int kMost = 1 << 20; // of any size; far beyond any model, far below any overflow
constexpr int kMostLength = 1 << 16, kMostWidth = 1 << 15, kMostWords = 1 << 28;
constexpr std::string_view kFamilies[] = {"deberta-v2", "bert", "roberta", "xlm-roberta"};

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

// What this engine has one way of doing: another one is refused by name.
void need_choice(const Fields &fields, std::string_view name, std::string_view known) {
    const std::string &found = fields.text(name);
    if (found != known) {
        unsupported("the manifest's " + std::string(name) + " is '" + found + "'; this engine " +
                    "knows '" + std::string(known) + "'");
    }
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
    shape.head_activation = activation_named(fields.text("pooler_hidden_act"));
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
    need_choice(fields, "norm", "after");
    shape.norm_epsilon = fields.fraction("norm_epsilon");
    const Fields feed_forward = fields.child("feed_forward"), head = fields.child("head");
    need_choice(feed_forward, "kind", "plain");
    need_choice(head, "kind", "dense");
    shape.activation = activation_named(feed_forward.text("activation"));
    shape.head_activation = activation_named(head.text("activation"));
    shape.score_factor = score_factor(shape, fields.whole("score_terms", 1, 3));
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
    need(shape.head_size % 4 == 0 && shape.head_size <= kMostHead,
         "head_size is not a multiple of 4 up to 256");
    need(shape.activation != Activation::tanh, "the activation function tanh in the layers");
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
    shape.max_length = top.whole("max_length", 1, kMostLength);
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
