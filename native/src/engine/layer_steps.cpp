#include "engine/layer_steps.h"

namespace edge_rerank::engine {

void LayerSteps::normalize(float *values, const float *residual, int rows,
                           const kernels::Norm &norm, float *output) {
    const int width = shape_.hidden;
    sound &= kernel_.norm(values, width, residual, residual ? width : 0, rows, width, norm, output);
}

const float *LayerSteps::input_of(size_t layer, float *hidden, int rows) {
    const kernels::Norm &norm = model_.layers[layer].attention_norm;
    if (!shape_.norm_before || !norm.weight) {
        return hidden;
    }
    normalize(hidden, nullptr, rows, norm, own_.middle);
    return own_.middle;
}

void LayerSteps::multiply(const Product &product, const float *input, int rows, int first,
                          int count, float *output) {
    multiply(product, input, product.inputs, rows, first, count, output);
}

// The same of rows that are `stride` apart.
void LayerSteps::multiply(const Product &product, const float *input, int stride, int rows,
                          int first, int count, float *output) {
    const int inputs = product.inputs;
    if (shape_.int8) {
        own_.rows.stride = product.i8.inputs;
        sound &= kernel_.quantize(input, stride, rows, inputs, product.smooth, product.points,
                                  own_.mixed, own_.rows);
        watch_.lap(times.rest);
        kernel_.product_i8(own_.rows, rows, product.i8, first, count, output, count);
    } else {
        kernel_.product_f32(input, stride, rows, product.f32, first, count, output, count);
    }
    times.multiply_adds += double(rows) * inputs * count;
    watch_.lap(times.products);
}

void LayerSteps::finish_layer(size_t number, int rows, float *hidden) {
    const Layer &layer = model_.layers[number];
    multiply(layer.output, own_.context, rows, 0, shape_.hidden, own_.middle);
    if (shape_.norm_before) {
        normalize(hidden, own_.middle, rows, layer.ffn_norm, own_.middle);
        feed_forward(layer, rows, own_.middle);
        for (int row = 0; row < rows; ++row) {
            const ptrdiff_t at = ptrdiff_t(row) * shape_.hidden;
            kernel_.add(own_.middle + at, shape_.hidden, hidden + at);
        }
        if (number + 1 == model_.layers.size()) {
            normalize(hidden, nullptr, rows, model_.final_norm, hidden);
        }
    } else {
        normalize(own_.middle, hidden, rows, layer.attention_norm, own_.middle);
        feed_forward(layer, rows, hidden);
        normalize(hidden, own_.middle, rows, layer.ffn_norm, hidden);
    }
    watch_.lap(times.rest);
}

// From the rows in `middle`.
void LayerSteps::feed_forward(const Layer &layer, int rows, float *output) {
    watch_.lap(times.rest);
    multiply(layer.up, own_.middle, rows, 0, shape_.inner(), own_.wide);
    activate_multiply(layer.down, rows, output);
}

void LayerSteps::activate_multiply(const Product &down, int rows, float *output) {
    const int inputs = shape_.intermediate, inner = shape_.inner();
    if (!shape_.int8) {
        kernel_.activate(own_.wide, inner, rows, inputs, shape_.activation, shape_.gated);
        watch_.lap(times.rest);
        multiply(down, own_.wide, inner, rows, 0, shape_.hidden, output);
        return;
    }
    own_.rows.stride = down.i8.inputs;
    sound &= kernel_.activate_quantize(own_.wide, inner, rows, inputs, shape_.activation,
                                       shape_.gated, down.smooth, down.points, own_.rows);
    watch_.lap(times.rest);
    kernel_.product_i8(own_.rows, rows, down.i8, 0, shape_.hidden, output, shape_.hidden);
    times.multiply_adds += double(rows) * inputs * shape_.hidden;
    watch_.lap(times.products);
}

} // namespace edge_rerank::engine
