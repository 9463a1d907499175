// The shape of the model, as the artifact's manifest describes it.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace edge_rerank::engine {

// How the model knows where a token is.
struct Positions {
    int absolute = 0;              // rows of the table that is added to the embeddings, or 0
    bool c2p = false, p2c = false; // terms of relative positions
    bool rotary = false;           // queries and keys are turned by their positions
    bool local_rotary = false;     // in layers of local attention by other angles than elsewhere
};

// One step of the head: a product and its activation function, or a norm.
struct HeadStep {
    bool norm = false;
    int outputs = 0;
    kernels::Activation activation = kernels::Activation::none;
    float epsilon = 0;
};

// What makes the last hidden states a logit: pooled, they go through the steps, and a product of
// one output follows.
struct HeadShape {
    bool mean = false;            // of all tokens; or the first token's
    bool named_as_pooler = false; // the tensors of the one step and of what follows
    std::vector<HeadStep> steps;
};

// What is done before and after the model by whoever has texts and wants scores.
struct Scoring {
    std::string prompt;     // put before each query
    std::string activation; // "sigmoid", "identity" or "tanh"
};

struct Architecture {
    bool int8 = false;
    int embedding_bits = 32; // of the table of words: 32 in fp32 models, otherwise 8 or 4
    int max_length = 0;
    int layers = 0, hidden = 0, heads = 0, head_size = 0, intermediate = 0;
    int vocabulary = 0, embedding = 0, token_types = 0;
    Positions positions;
    std::vector<bool> local; // of each layer, whether its attention is
    int reach = 0;           // of local attention, to each side
    // Layers, the last ones, in which the rows of a pair's first text look at those of the second.
    // Where there are any, the others read the two texts apart, each with positions of its own.
    int crossing = 0;
    float crossing_epsilon = 0; // of the norms in those layers
    bool norm_before = false;   // each half of a layer normalises what it reads, not what it gives
    bool gated = false; // feed-forward: the activated half of a product times the other half
    kernels::Activation activation = kernels::Activation::gelu;
    HeadShape head;
    float norm_epsilon = 0;
    float score_factor = 0; // what scores are multiplied with before the softmax
    Scoring scoring;

    // Layers whose tokens look at all of their own pair, or of their own text.
    int encoding() const { return layers - crossing; }
    bool apart() const { return crossing > 0; }

    // Outputs of a layer's first feed-forward product.
    int inner() const { return gated ? 2 * intermediate : intermediate; }

    // Reads FOLDER/manifest.json. Raises Error: EDGE_RERANK_BAD_ARTIFACT when it is not sound,
    // EDGE_RERANK_UNSUPPORTED for shapes that this engine has no code for.
    static Architecture read(const std::string &folder);
};

} // namespace edge_rerank::engine
