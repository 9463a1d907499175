// The shape of the model, as the artifact's manifest describes it.
#pragma once

#include <string>

#include "kernels/kernel.h"

namespace edge_rerank::engine {

// How the model knows where a token is.
struct Positions {
    int absolute = 0;              // rows of the table that is added to the embeddings, or 0
    bool c2p = false, p2c = false; // terms of relative positions
};

struct Architecture {
    bool int8 = false;
    int max_length = 0;
    int layers = 0, hidden = 0, heads = 0, head_size = 0, intermediate = 0;
    int vocabulary = 0, embedding = 0, token_types = 0;
    Positions positions;
    kernels::Activation activation = kernels::Activation::gelu,
                        head_activation = kernels::Activation::gelu;
    float norm_epsilon = 0;
    float score_factor = 0; // what scores are multiplied with before the softmax

    // Reads FOLDER/manifest.json. Raises Error: EDGE_RERANK_BAD_ARTIFACT when it is not sound,
    // EDGE_RERANK_UNSUPPORTED for shapes that this engine has no code for.
    static Architecture read(const std::string &folder);
};

} // namespace edge_rerank::engine
