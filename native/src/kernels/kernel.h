// What a kernel provides: the arithmetic on rows, and nothing else. What is computed, in which
// order and where it lies is decided above (engine/forward.cpp), the same for every kernel.
//
// Every function gives the same bits on every kernel: vectors always have sixteen lanes, each lane
// adds up its own column in the order of the inputs, sums over a row are taken in one fixed
// order, and multiply-and-add is always the fused instruction or what gives the same result.
//
// Kernel sources are compiled for instruction sets that the CPU may lack, so they must not define
// anything that the linker could share with other sources: no templates or inline functions of
// the standard library.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace edge_rerank::kernels {

constexpr int kLanes = 16;     // columns of a group; sizes are padded to whole groups
constexpr int kMostHead = 256; // largest size of an attention head
constexpr int kMostTileRows = 96;
constexpr int kMostPoints = 32;   // of a transform that mixes columns; a power of two
constexpr int kMostLevel = 16383; // of a softmax weight: 14 bits, or two bytes of 7
constexpr int kBlockKeys = 64;    // whose weights' bytes lie together: a row of a matrix tile
constexpr int kExactKeys = 1024;  // as many weighted values, of 8 bits, fit into a 32-bit sum

enum class Activation : int32_t { none, gelu, gelu_tanh, relu, tanh };

// Weights of a linear product, int8. A group of 16 columns lies together: for each `unit` inputs,
// those of column 0, of column 1, and so on. `start` is what the exact sums begin at: where rows
// are unsigned bytes, it takes their offset of 128 out again. `sums` are those of each output's
// scaled weights: what the rows' centers are multiplied by.
struct ProductI8 {
    int inputs, outputs; // padded: inputs to `input_multiple`, with weights of 0; outputs to 16
    const int8_t *weights;
    const float *scales;
    const int32_t *start;
    const float *sums;
    const float *bias;
};

// The same in float32: for each group of 16 columns the weights of input 0, of input 1, ...
struct ProductF32 {
    int inputs, outputs;
    const float *weights;
    const float *bias;
};

// Quantised rows: bytes, `stride` apart, and a scale and a center for each row. A byte stands for
// center + (byte - 128) * scale; it is stored less 128, as a signed byte, by kernels whose products
// want signed ones.
struct RowsI8 {
    uint8_t *bytes;
    ptrdiff_t stride;
    float *scales, *centers;
};

struct Norm {
    const float *weight, *bias;
    float epsilon;
};

// Relative terms of one layer and head in the order of the distance: column `middle` + j - i is
// for query i and key j. Absent terms have null tables. int8: quads of head inputs, `stride` bytes
// apart, each for all columns; float32: one head input after the other, `stride` floats apart.
// The p2c table of a head of `tile_head` inputs has rows instead, one for each column.
struct RelativeI8 {
    const int8_t *table;
    ptrdiff_t stride;
    const float *scales;
    const int32_t *start;
};
struct RelativeF32 {
    const float *table;
    ptrdiff_t stride;
};

// One head of one pair. Keys are stored across: quads (or single values, in float32) of head
// inputs, each for all keys, `stride` of them; attention looks at `padded` of them, of which
// `count` are real.
struct Keys {
    int count, padded;
    ptrdiff_t stride;
};
// Values are whole numbers too, of 8 bits with a scale for each key: in groups of 16 columns, where
// those of some keys lie side by side, as the kernel that stored them wants it.
struct KeysI8 : Keys {
    int first; // position of the first one in its pair
    const int8_t *quads;
    const float *scales;
    const int32_t *start;
    const int8_t *values;
    const float *value_scales;
    float *value_factors; // room for one for each key
};
struct KeysF32 : Keys {
    const float *columns;
    const float *values; // [padded, head size padded to 16]
};

// Attention of some consecutive queries of one pair, one head. Scores are in units of log 2.
struct Attend {
    int rows, first; // how many queries, and the position of the first one in its pair
    int reach;       // how far from itself a query sees keys, to each side; 0: it sees all
    int head_size;
    ptrdiff_t query_stride; // of the queries' bytes or floats
    float key_factor;       // the scores' factor, for the term that the queries have no part in
    int middle;             // column of distance 0 in the relative tables
    float *scratch;         // scores: kScoreTile rows, score_stride() apart
    float *output;          // [rows, head size], `output_stride` apart
    ptrdiff_t output_stride;
};
struct AttendI8 : Attend {
    const uint8_t *queries;
    const float *query_scales; // [rows], `scale_stride` apart; the scores' factor is in them
    ptrdiff_t scale_stride;
    KeysI8 keys;
    RelativeI8 c2p, p2c;
};
struct AttendF32 : Attend {
    const float *queries; // the scores' factor is in them
    KeysF32 keys;
    RelativeF32 c2p, p2c;
};

constexpr int kScoreTile = 48; // queries whose scores are held at once
// From one row of scores to the next: a row has room for both bytes of each key of a whole block.
constexpr ptrdiff_t score_stride(int padded) {
    constexpr int least = 2 * kBlockKeys / int(sizeof(float));
    return padded < least ? least : padded;
}

// Where one head of some consecutive keys goes.
struct KeysOut {
    int8_t *quads;
    ptrdiff_t stride; // bytes from one quad of head inputs to the next
    float *scales;
    int32_t *start;
};
// Where their values go: those of a pair's head, of which `first` is the first key's position.
struct ValuesOut {
    int8_t *values;
    int padded; // keys of the pair
    int first;
    float *scales; // the first key's
};

struct Kernel {
    const char *name;
    int unit;           // of ProductI8: 4 or 8
    int row_offset;     // 128 where the rows of products are unsigned bytes, otherwise 0
    int input_multiple; // to which the inputs of ProductI8 are padded, and the rows' bytes with
                        // them
    int tile_rows;      // of a product; work is dealt out in whole tiles, of up to kMostTileRows
    int tile_head;      // size of the heads whose scores are computed on matrix tiles; 0: of none
    int value_bytes;    // that each of KeysI8's values takes

    // Called by each thread before it calls any of the functions below, and when it is done for
    // now, for what a thread has to set up, such as the shape of its tiles; null where there is
    // nothing.
    void (*enter)();
    void (*leave)();

    // output[rows, columns first..first + count) = rows * weights + bias; columns are those of the
    // product, in whole groups, and output points at column `first`.
    void (*product_i8)(const RowsI8 &input, int rows, const ProductI8 &product, int first,
                       int count, float *output, ptrdiff_t output_stride);
    void (*product_f32)(const float *input, ptrdiff_t input_stride, int rows,
                        const ProductF32 &product, int first, int count, float *output,
                        ptrdiff_t output_stride);

    // Each returns false when a value was infinite, and norm() also when one was not a number:
    // the others look at the extremes alone, which no comparison lets such a value become.
    // Quantises rows of `columns` (padded to 16) values, each times its `smooth` where there is
    // one, from a row's least value to its largest. Where `points` is above 1, columns are mixed
    // before that, in `scratch`, which has room for a row.
    bool (*quantize)(const float *input, ptrdiff_t stride, int rows, int columns,
                     const float *smooth, int points, float *scratch, const RowsI8 &output);
    // Applies the activation function (and `smooth`) in place, then does the same. A gated row has
    // twice as many values: what the function makes of the first half is multiplied by the second.
    bool (*activate_quantize)(float *values, ptrdiff_t stride, int rows, int columns,
                              Activation activation, bool gated, const float *smooth, int points,
                              const RowsI8 &output);
    void (*activate)(float *values, ptrdiff_t stride, int rows, int columns, Activation activation,
                     bool gated);
    // output = norm(values + residual); residual may be null, and output, whose rows are as far
    // apart as those of `values`, may be `values`. Elsewhere `values` become the sum.
    bool (*norm)(float *values, ptrdiff_t stride, const float *residual, ptrdiff_t residual_stride,
                 int rows, int columns, const Norm &norm, float *output);
    // Turns each head of consecutive tokens by its position's angles (Su et al., 2021): input i
    // with input i + half, whose cosines and sines lie in rows of half a head, one row a token.
    void (*rotate)(float *rows, ptrdiff_t stride, int count, int heads, int head_size,
                   const float *cosines, const float *sines);

    // The scaled rows of an int8 table.
    void (*widen)(const int8_t *input, float scale, int columns, float *output);
    void (*add)(const float *input, int columns, float *output);

    // One head, quantised and stored where attention reads it: of one query, of some keys.
    bool (*query_head_i8)(const float *query, int size, float factor, uint8_t *bytes, float *scale);
    bool (*store_keys_i8)(const float *keys, ptrdiff_t stride, int count, int size,
                          const KeysOut &output);
    bool (*store_values_i8)(const float *values, ptrdiff_t stride, int count, int size,
                            const ValuesOut &output);
    bool (*attend_i8)(const AttendI8 &task);
    bool (*attend_f32)(const AttendF32 &task);

    // Dot product of two rows, for the classifier.
    float (*dot)(const float *left, const float *right, int columns);

    // Run `rounds` rounds of the product's inner loop on registers; they give the number of
    // multiply-adds done.
    double (*peak_i8)(long rounds);
    double (*peak_f32)(long rounds);
};

// How many inputs a product has with what pads them.
constexpr int padded_inputs(const Kernel &kernel, int inputs) {
    return (inputs + kernel.input_multiple - 1) / kernel.input_multiple * kernel.input_multiple;
}

} // namespace edge_rerank::kernels
