// The weights of a model in the form that a kernel wants them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/memory.h"
#include "engine/architecture.h"
#include "engine/rotary.h"
#include "engine/weights.h"
#include "engine/words.h"
#include "kernels/kernel.h"

namespace edge_rerank::engine {

// A linear product; `i8` is used in int8 models, `f32` in fp32 ones.
struct Product {
    int inputs = 0; // without what pads them
    kernels::ProductI8 i8{};
    kernels::ProductF32 f32{};
    const float *smooth = nullptr; // of its inputs, or null
    int points = 1;                // of the transform that mixes its inputs; 1: none
};

// The relative tables of one head.
struct RelativeHead {
    kernels::RelativeI8 c2p_i8{}, p2c_i8{};
    kernels::RelativeF32 c2p_f32{}, p2c_f32{};
};

struct Layer {
    Product projection; // query, key and value, side by side
    Product output, up, down;
    kernels::Norm attention_norm{}, ffn_norm{}; // the first is without weights where there is none
    std::vector<RelativeHead> heads;
    Rotary rotary{};
    int reach = 0; // of its attention; see Attend
};

struct Embeddings {
    WordTable words;
    const float *positions = nullptr, *types = nullptr;
    kernels::ProductF32 projection{}; // without weights where the embedding is as wide as the model
    kernels::Norm norm{};
};

// See HeadStep; one of the two is there.
struct HeadPart {
    kernels::ProductF32 product{};
    kernels::Activation activation = kernels::Activation::none;
    kernels::Norm norm{};
};

struct Head {
    std::vector<HeadPart> parts;
    const float *classifier = nullptr;
    int inputs = 0; // of the classifier
    float bias = 0;
    float cosine_scale = 0; // of the two texts' likeness, where they are read apart
};

struct Model {
    // Reads FOLDER for pairs of up to `max_length` tokens (0: the artifact's own). Raises Error.
    Model(const std::string &folder, int max_length, Access access, const kernels::Kernel &kernel);

    Architecture architecture;
    Weights weights;
    Memory memory;
    Embeddings embeddings;
    std::vector<Layer> layers;
    kernels::Norm final_norm{}; // of models whose layers normalise before
    Head head;
    int middle = 0; // column of distance 0 in the relative tables
};

} // namespace edge_rerank::engine
