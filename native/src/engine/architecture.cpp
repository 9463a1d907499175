#include "engine/architecture.h"

#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "base/file_bytes.h"

namespace edge_rerank::engine {

using kernels::Activation, kernels::kLanes, kernels::kMostHead;

namespace {
constexpr size_t kLargestManifest = 4 << 20;
constexpr int kMost = 1 << 20; // of any size; far beyond any model, far below any overflow
constexpr int kMostLength = 1 << 16;

class Fields {
  public:
    Fields(const Json &object, std::string where) : object_(object), where_(std::move(where)) {
        if (object.kind() != Json::Kind::object) {
            bad_artifact(where_ + ": expected an object");
        }
    }

    [[noreturn]] void fail(std::string_view name, const std::string &expected) const {
        bad_artifact(where_ + ": " + std::string(name) + " is missing or wrong; expected " +
                     expected);
    }

    const Json &take(std::string_view name, Json::Kind kind, const std::string &expected) const {
        const Json *found = object_.find(name);
        if (!found || found->kind() != kind) {
            fail(name, expected);
        }
        return *found;
    }

    int whole(std::string_view name, int least, int most) const {
        const std::string expected =
            "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
        const Json &found = take(name, Json::Kind::number, expected);
        if (!found.whole() || found.number() < least || found.number() > most) {
            fail(name, expected);
        }
        return int(found.number());
    }

    bool flag(std::string_view name) const {
        return take(name, Json::Kind::boolean, "true or false").boolean();
    }

    const std::string &text(std::string_view name) const {
        return take(name, Json::Kind::text, "a text").text();
    }

  private:
    const Json &object_;
    std::string where_;
};

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

// transformers scales by the number of terms asked for, even where none is computed.
void read_terms(const Fields &fields, Architecture &shape) {
    bool c2p = false, p2c = false;
    const bool relative = fields.flag("relative_attention");
    for (const Json &term : fields.take("pos_att_type", Json::Kind::list, "a list").list()) {
        c2p |= term.text() == "c2p";
        p2c |= term.text() == "p2c";
        if (term.text() != "c2p" && term.text() != "p2c") {
            fields.fail("pos_att_type", "a list of c2p and p2c");
        }
    }
    shape.score_factor = float(1 / std::sqrt(double(shape.head_size) * (1 + int(c2p) + int(p2c))));
    shape.c2p = relative && c2p;
    shape.p2c = relative && p2c;
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
} // namespace

Architecture Architecture::read(const std::string &folder) {
    const std::string path = folder + "/manifest.json";
    const std::string text = read_text(path, kLargestManifest);
    const Json manifest = Json::parse(text, path);
    const Fields top(manifest, path);
    if (top.text("format") != "edge-rerank-artifact" ||
        top.whole("format_version", 0, kMost) != 1) {
        bad_artifact(path + ": not an edge-rerank artifact of format version 1");
    }
    const Json &object = top.take("architecture", Json::Kind::object, "an object");
    const Fields fields(object, path + ": architecture");
    if (fields.text("model_type") != "deberta-v2") {
        unsupported(path + ": model_type is '" + fields.text("model_type") +
                    "'; expected deberta-v2");
    }
    Architecture shape;
    const std::string &precision = top.text("precision");
    if (precision != "int8" && precision != "fp32") {
        top.fail("precision", "int8 or fp32");
    }
    shape.int8 = precision == "int8";
    shape.max_length = top.whole("max_length", 1, kMostLength);
    shape.layers = fields.whole("layers", 1, 1024);
    shape.hidden = fields.whole("hidden_size", 1, 1 << 15);
    shape.heads = fields.whole("heads", 1, 1 << 15);
    shape.head_size = fields.whole("head_size", 1, 1 << 15);
    shape.intermediate = fields.whole("intermediate_size", 1, 1 << 15);
    shape.vocabulary = fields.whole("vocab_size", 1, 1 << 28);
    shape.embedding = fields.whole("embedding_size", 1, 1 << 15);
    shape.token_types = fields.whole("type_vocab_size", 0, kMost);
    shape.positions = fields.flag("position_biased_input")
                          ? fields.whole("max_position_embeddings", 1, kMost)
                          : 0;
    if (int64_t(shape.heads) * shape.head_size != shape.hidden) {
        fields.fail("head_size", "hidden_size / heads");
    }
    if (shape.positions && shape.positions < shape.max_length) {
        top.fail("max_length", "at most max_position_embeddings");
    }
    shape.activation = activation_named(fields.text("hidden_act"));
    shape.pooler_activation = activation_named(fields.text("pooler_hidden_act"));
    const double epsilon =
        fields.take("layer_norm_eps", Json::Kind::number, "a small number").number();
    if (!(epsilon > 1e-30 && epsilon < 1)) {
        fields.fail("layer_norm_eps", "a number above 0 and below 1");
    }
    shape.norm_epsilon = float(epsilon);
    read_terms(fields, shape);
    check_supported(shape);
    return shape;
}

} // namespace edge_rerank::engine
