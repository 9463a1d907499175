// The shape of the model, as the artifact's manifest describes it.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/kernel.h"

namespace edge_rerank::engine {

struct Architecture {
    bool int8 = false;
    int max_length = 0;
    int layers = 0, hidden = 0, heads = 0, head_size = 0, intermediate = 0;
    int vocabulary = 0, embedding = 0, positions = 0, token_types = 0;
    bool c2p = false, p2c = false;
    kernels::Activation activation = kernels::Activation::gelu,
                        pooler_activation = kernels::Activation::gelu;
    float norm_epsilon = 0;
    float score_factor = 0; // what scores are multiplied with before the softmax

    // Reads FOLDER/manifest.json. Raises Error: EDGE_RERANK_BAD_ARTIFACT when it is not sound,
    // EDGE_RERANK_UNSUPPORTED for shapes that this engine has no code for.
    static Architecture read(const std::string &folder);
};

} // namespace edge_rerank::engine
