// The steps of a layer on some rows, whichever rows those are: what a thread does between one
// attention and the next, in buffers of its own.
#pragma once

#include "edge_rerank.h"
#include "engine/buffers.h"
#include "engine/model.h"
#include "engine/stopwatch.h"

namespace edge_rerank::engine {

class LayerSteps {
  public:
    LayerSteps(const Model &model, const kernels::Kernel &kernel, ThreadBuffers &own)
        : model_(model), kernel_(kernel), shape_(model.architecture), own_(own) {}

    edge_rerank_times times{};
    bool sound = true; // whether every value was finite

  protected:
    const Model &model_;
    const kernels::Kernel &kernel_;
    const Architecture &shape_;
    ThreadBuffers &own_;
    Stopwatch watch_;

    // output = norm(values + residual), rows as wide as the model; see Kernel::norm.
    void normalize(float *values, const float *residual, int rows, const kernels::Norm &norm,
                   float *output);

    // What the first product of a layer reads, which is not the rows themselves where the layer
    // normalises before; then it lies in `middle`.
    const float *input_of(size_t layer, float *hidden, int rows);

    // output = input * weights + bias, for columns of the product from `first` on.
    void multiply(const Product &product, const float *input, int rows, int first, int count,
                  float *output);

    // From the context of some rows to what the layer gives, in place in `hidden`.
    void finish_layer(size_t number, int rows, float *hidden);

  private:
    void multiply(const Product &product, const float *input, int stride, int rows, int first,
                  int count, float *output);
    void feed_forward(const Layer &layer, int rows, float *output);
    void activate_multiply(const Product &down, int rows, float *output);
};

} // namespace edge_rerank::engine
