#include "engine/buffers.h"

#include <algorithm>

#include "engine/plan.h"

namespace edge_rerank::engine {

Buffers::Buffers(const Architecture &shape, const kernels::Kernel &kernel, int capacity,
                 int thread_count) {
    const size_t tokens = size_t(capacity), hidden = size_t(shape.hidden),
                 heads = size_t(shape.heads);
    const size_t value_size = size_t(padded_keys(shape.head_size));
    shared.hidden = memory_.take<float>(tokens * hidden);
    if (shape.apart()) {
        shared.crossing = memory_.take<float>(tokens * hidden);
    }
    if (shape.int8) {
        shared.query_bytes = memory_.take<uint8_t>(tokens * hidden);
        shared.query_scales = memory_.take<float>(tokens * heads);
    } else {
        shared.queries = memory_.take<float>(tokens * hidden);
    }
    for (int side = 0; side < 2; ++side) {
        if (shape.int8) {
            shared.key_quads[side] = memory_.take<int8_t>(tokens * hidden);
            shared.key_scales[side] = memory_.take<float>(tokens * heads);
            shared.key_starts[side] = memory_.take<int32_t>(tokens * heads);
            // A tile's last columns may reach behind the last keys, where weights are zero.
            const size_t behind = size_t(kernels::kBlockKeys) * kernels::kLanes;
            const size_t count = tokens * heads * value_size + behind;
            shared.value_levels[side] = memory_.take<int8_t>(count * size_t(kernel.value_bytes));
            shared.value_scales[side] = memory_.take<float>(tokens * heads);
        } else {
            shared.key_columns[side] = memory_.take<float>(tokens * hidden);
            shared.values[side] = memory_.take<float>(tokens * heads * value_size);
        }
    }
    const size_t block = kBlockRows;
    const int longest = std::max(shape.hidden, shape.intermediate);
    const size_t widest = size_t(kernels::padded_inputs(kernel, longest));
    int head = 0;
    for (const HeadStep &step : shape.head.steps) {
        head = std::max(head, step.outputs);
    }
    const size_t wide = size_t(std::max({3 * shape.hidden, shape.inner(), shape.embedding, head}));
    const size_t context = size_t(std::max(shape.hidden, head));
    for (int i = 0; i < thread_count; ++i) {
        ThreadBuffers own{};
        own.wide = memory_.take<float>(block * wide);
        own.context = memory_.take<float>(block * context);
        own.middle = memory_.take<float>(block * hidden);
        own.first = memory_.take<float>(block * hidden);
        if (shape.int8) {
            own.rows = {memory_.take<uint8_t>(block * widest), 0, memory_.take<float>(block),
                        memory_.take<float>(block)};
            own.mixed = memory_.take<float>(hidden);
        }
        own.query_bytes = memory_.take<uint8_t>(block * hidden);
        own.query_scales = memory_.take<float>(block * heads);
        const int keys = padded_keys(shape.max_length);
        own.scores =
            memory_.take<float>(size_t(kernels::kScoreTile) * size_t(kernels::score_stride(keys)));
        if (shape.int8) {
            own.value_factors = memory_.take<float>(size_t(keys));
        }
        threads.push_back(own);
    }
}

} // namespace edge_rerank::engine
