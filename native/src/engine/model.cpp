#include "engine/model.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace edge_rerank::engine {

using kernels::kLanes, kernels::Kernel, kernels::Norm, kernels::ProductF32, kernels::ProductI8,
    kernels::RelativeF32, kernels::RelativeI8;

namespace {
constexpr float kFastestTurn = 16; // of rotary positions, a token; models have at most 1

int round_up(int value, int step) { return (value + step - 1) / step * step; }

// Lays the tensors of a weights file out as the kernel wants them.
class Packer {
  public:
    Packer(const Architecture &shape, const Weights &weights, Memory &memory, const Kernel &kernel)
        : shape_(shape), weights_(weights), memory_(memory), kernel_(kernel) {}

    // Some products of the same input, side by side; `input` begins the names of the tensors that
    // say what is done to it, or is empty where nothing is.
    Product product(const std::vector<std::string> &names, int inputs, int outputs,
                    const std::string &input) const {
        for (const std::string &name : names) { // before memory is taken for what is not there
            weights_.need(name + ".weight", shape_.int8 ? DataType::int8 : DataType::float32,
                          {inputs, outputs});
        }
        Product result;
        result.inputs = inputs;
        const int total = outputs * int(names.size());
        float *bias = memory_.take<float>(size_t(total));
        if (shape_.int8) {
            const int padded = kernels::padded_inputs(kernel_, inputs);
            result.i8 = {padded,
                         total,
                         memory_.take<int8_t>(size_t(total) * padded),
                         memory_.take<float>(size_t(total)),
                         memory_.take<int32_t>(size_t(total)),
                         memory_.take<float>(size_t(total)),
                         bias};
        } else {
            result.f32 = {inputs, total, memory_.take<float>(size_t(total) * inputs), bias};
        }
        for (size_t i = 0; i < names.size(); ++i) {
            const int first = int(i) * outputs;
            copy(names[i] + ".bias", {outputs}, bias + first);
            if (shape_.int8) {
                pack_i8(names[i], inputs, outputs, first, result.i8);
            } else {
                pack_f32(floats(names[i] + ".weight", {inputs, outputs}), inputs, outputs, first,
                         const_cast<float *>(result.f32.weights));
                weights_.forget(names[i] + ".weight");
            }
        }
        if (shape_.int8 && !input.empty()) {
            result.smooth =
                weights_.has(input + "smooth") ? kept(input + "smooth", {inputs}) : nullptr;
            result.points = points(input + "mix", inputs);
        }
        return result;
    }

    // How many vectors of inputs a tensor says that are mixed; 1 where there is none.
    int points(const std::string &name, int inputs) const {
        if (!weights_.has(name)) {
            return 1;
        }
        const int points = *weights_.ints(name, {1});
        const bool power = points > 0 && (points & (points - 1)) == 0;
        if (!power || points > kernels::kMostPoints || inputs % (points * kLanes) != 0) {
            bad_artifact("the tensor '" + name + "' holds " + std::to_string(points) +
                         "; expected a power of two up to " + std::to_string(kernels::kMostPoints) +
                         " of which groups of " + std::to_string(kLanes) + " fill " +
                         std::to_string(inputs) + " inputs");
        }
        return points;
    }

    Norm norm(const std::string &name) const { return norm(name, shape_.norm_epsilon); }

    Norm norm(const std::string &name, float epsilon) const {
        return norm(name, shape_.hidden, epsilon);
    }

    Embeddings embeddings() const {
        Embeddings result;
        const int64_t words = shape_.vocabulary, width = shape_.embedding;
        result.words = WordTable(weights_, int(words), int(width), shape_.embedding_bits);
        if (shape_.positions.absolute) {
            result.positions =
                weights_.table("embeddings.position.weight", {shape_.positions.absolute, width});
        }
        if (shape_.token_types) {
            result.types = weights_.table("embeddings.type.weight", {shape_.token_types, width});
        }
        if (shape_.embedding != shape_.hidden) {
            result.projection = {
                shape_.embedding, shape_.hidden,
                packed_f32(weights_.floats("embeddings.projection.weight", {width, shape_.hidden}),
                           shape_.embedding, shape_.hidden),
                memory_.take<float>(size_t(shape_.hidden))};
        }
        result.norm = norm("embeddings.norm");
        return result;
    }

    Head head() const {
        const HeadShape &shape = shape_.head;
        Head result;
        result.inputs = shape_.hidden;
        for (size_t i = 0; i < shape.steps.size(); ++i) {
            const HeadStep &step = shape.steps[i];
            const std::string name = shape.named_as_pooler ? "pooler" : "head." + std::to_string(i);
            HeadPart part;
            if (step.norm) {
                part.norm = norm(name, result.inputs, step.epsilon);
            } else {
                part.product = head_product(name, result.inputs, step.outputs);
                part.activation = step.activation;
                result.inputs = step.outputs;
            }
            result.parts.push_back(part);
        }
        result.classifier = kept("classifier.weight", {1, result.inputs});
        result.bias = *weights_.floats("classifier.bias", {1});
        if (shape_.apart()) {
            result.cosine_scale = *weights_.floats("cosine.scale", {1});
        }
        return result;
    }

    // The tables of a kind of layer, up to the longest pair.
    Rotary rotary(const std::string &name) const {
        const int half = shape_.head_size / 2;
        const float *frequencies = floats(name, {half});
        for (int i = 0; i < half; ++i) {
            if (!(frequencies[i] >= 0 && frequencies[i] <= kFastestTurn)) {
                bad_artifact("the tensor '" + name + "' holds " + std::to_string(frequencies[i]) +
                             "; expected 0 to " + std::to_string(int(kFastestTurn)));
            }
        }
        return rotary_tables(frequencies, half, shape_.max_length, memory_);
    }

    // The relative tables of one layer, with a column for every distance; see RelativeI8.
    std::vector<RelativeHead> relative(int layer, const std::vector<int> &rows,
                                       int table_rows) const {
        std::vector<RelativeHead> heads(size_t(shape_.heads));
        const std::string name = "layers." + std::to_string(layer) + ".relative.";
        for (int h = 0; h < shape_.heads; ++h) {
            RelativeHead &head = heads[size_t(h)];
            if (shape_.int8) {
                if (shape_.positions.c2p) {
                    head.c2p_i8 = relative_i8(name + "key", h, rows, table_rows, false);
                }
                if (shape_.positions.p2c) {
                    head.p2c_i8 = relative_i8(name + "query", h, rows, table_rows, true);
                }
            } else {
                if (shape_.positions.c2p) {
                    head.c2p_f32 = relative_f32(name + "key", h, rows, table_rows);
                }
                if (shape_.positions.p2c) {
                    head.p2c_f32 = relative_f32(name + "query", h, rows, table_rows);
                }
            }
        }
        for (const char *part : {"key.weight", "key.scale", "query.weight", "query.scale"}) {
            weights_.forget(name + part);
        }
        return heads;
    }

  private:
    const Architecture &shape_;
    const Weights &weights_;
    Memory &memory_;
    const Kernel &kernel_;

    Norm norm(const std::string &name, int size, float epsilon) const {
        return {kept(name + ".weight", {size}), kept(name + ".bias", {size}), epsilon};
    }

    // A product of the head: stored with a row for each output, and computed in floats.
    ProductF32 head_product(const std::string &name, int inputs, int outputs) const {
        const std::string weight = name + ".weight";
        weights_.need(weight, shape_.int8 ? DataType::int8 : DataType::float32, {outputs, inputs});
        std::vector<float> across(size_t(inputs) * outputs); // [inputs, outputs]
        const auto fill = [&](const auto *values, const float *scales) {
            for (int output = 0; output < outputs; ++output) {
                for (int input = 0; input < inputs; ++input) {
                    const float value = float(values[size_t(output) * inputs + input]);
                    across[size_t(input) * outputs + output] =
                        scales ? value * scales[output] : value;
                }
            }
        };
        if (shape_.int8) {
            fill(weights_.bytes(weight, {outputs, inputs}),
                 weights_.floats(name + ".scale", {outputs, 1}));
        } else {
            fill(weights_.floats(weight, {outputs, inputs}), nullptr);
        }
        weights_.forget(weight);
        return {inputs, outputs, packed_f32(across.data(), inputs, outputs),
                kept(name + ".bias", {outputs})};
    }

    const float *floats(const std::string &name, const std::vector<int64_t> &shape) const {
        return weights_.floats(name, shape);
    }

    // Some kernels move signs from one factor to the other, which -128 has no room for.
    static void refuse_least(int8_t least, const std::string &name) {
        if (least == -128) {
            bad_artifact("the tensor '" + name + ".weight' holds -128; int8 weights are symmetric");
        }
    }

    void copy(const std::string &name, const std::vector<int64_t> &shape, float *to) const {
        size_t count = 1;
        for (const int64_t extent : shape) {
            count *= size_t(extent);
        }
        std::memcpy(to, floats(name, shape), count * sizeof(float));
        weights_.forget(name);
    }

    // Small tensors are copied next to the packed ones, so that their pages need not stay.
    const float *kept(const std::string &name, const std::vector<int64_t> &shape) const {
        size_t count = 1;
        for (const int64_t extent : shape) {
            count *= size_t(extent);
        }
        float *result = memory_.take<float>(count);
        copy(name, shape, result);
        return result;
    }

    const float *packed_f32(const float *weights, int inputs, int outputs) const {
        float *result = memory_.take<float>(size_t(inputs) * outputs);
        pack_f32(weights, inputs, outputs, 0, result);
        return result;
    }

    static void pack_f32(const float *weights, int inputs, int outputs, int first, float *packed) {
        for (int column = 0; column < outputs; column += kLanes) {
            float *group = packed + size_t(first + column) * inputs;
            for (int input = 0; input < inputs; ++input) {
                std::memcpy(group + size_t(input) * kLanes,
                            weights + size_t(input) * outputs + column, kLanes * sizeof(float));
            }
        }
    }

    void pack_i8(const std::string &name, int inputs, int outputs, int first,
                 const ProductI8 &product) const {
        const int8_t *weights = weights_.bytes(name + ".weight", {inputs, outputs});
        copy(name + ".scale", {outputs}, const_cast<float *>(product.scales) + first);
        int8_t *packed = const_cast<int8_t *>(product.weights);
        const int unit = kernel_.unit;
        int8_t least = 0;
        std::vector<int32_t> sums(size_t(outputs), 0);
        for (int column = 0; column < outputs; column += kLanes) {
            int8_t *to = packed + size_t(first + column) * product.inputs; // what pads it is zero
            for (int input = 0; input < inputs; input += unit) {
                for (int lane = 0; lane < kLanes; ++lane) {
                    for (int i = 0; i < unit; ++i) {
                        const int8_t weight = weights[size_t(input + i) * outputs + column + lane];
                        least = std::min(least, weight);
                        *to++ = weight;
                        sums[size_t(column + lane)] += weight;
                    }
                }
            }
        }
        refuse_least(least, name);
        int32_t *start = const_cast<int32_t *>(product.start) + first;
        float *scaled = const_cast<float *>(product.sums) + first;
        for (int column = 0; column < outputs; ++column) {
            start[column] = -kernel_.row_offset * sums[size_t(column)];
            scaled[column] = float(sums[size_t(column)]) * product.scales[first + column];
        }
        weights_.forget(name + ".weight");
    }

    // The table of p2c has the part of rows in a product.
    RelativeI8 relative_i8(const std::string &name, int head, const std::vector<int> &rows,
                           int table_rows, bool p2c) const {
        const int offset = p2c ? kernel_.row_offset : 0;
        const bool by_column = p2c && kernel_.tile_head == shape_.head_size;
        const int8_t *table = weights_.bytes(name + ".weight", {table_rows, shape_.hidden});
        const float *scales = floats(name + ".scale", {table_rows, shape_.heads});
        const size_t columns = rows.size();
        const size_t size = size_t(shape_.head_size);
        int8_t *result = memory_.take<int8_t>(columns * size);
        float *scale = memory_.take<float>(columns);
        int32_t *start = memory_.take<int32_t>(columns);
        int8_t least = 0;
        for (size_t column = 0; column < columns; ++column) {
            const size_t row = size_t(rows[column]);
            const int8_t *from = table + row * shape_.hidden + head * shape_.head_size;
            int32_t sum = 0;
            for (size_t i = 0; i < size; ++i) {
                const size_t at =
                    by_column ? column * size + i : (i / 4 * columns + column) * 4 + i % 4;
                least = std::min(least, from[i]);
                sum += from[i];
                result[at] = int8_t(from[i] + offset);
            }
            scale[column] = scales[row * shape_.heads + head];
            start[column] = -128 * sum;
        }
        refuse_least(least, name);
        return {result, ptrdiff_t(by_column ? size : 4 * columns), scale, start};
    }

    RelativeF32 relative_f32(const std::string &name, int head, const std::vector<int> &rows,
                             int table_rows) const {
        const float *table = floats(name + ".weight", {table_rows, shape_.hidden});
        const size_t columns = rows.size();
        float *values = memory_.take<float>(columns * size_t(shape_.head_size));
        for (size_t column = 0; column < columns; ++column) {
            const float *from =
                table + size_t(rows[column]) * shape_.hidden + head * shape_.head_size;
            for (int i = 0; i < shape_.head_size; ++i) {
                values[size_t(i) * columns + column] = from[i];
            }
        }
        return {values, ptrdiff_t(columns)};
    }
};

// The table row of every column: the part of relative.bucket that pairs of `length` tokens reach,
// a group of columns before it, which kernels shift in from, and some more that padded keys read.
std::vector<int> relative_rows(const Weights &weights, int full_length, int length,
                               int table_rows) {
    const int32_t *bucket = weights.ints("relative.bucket", {2 * full_length});
    std::vector<int> rows(size_t(kLanes + round_up(2 * length, kLanes) + kLanes));
    for (int column = 0; column < int(rows.size()); ++column) {
        const int at = column - kLanes + full_length - length;
        const int32_t row = bucket[std::clamp(at, 0, 2 * full_length - 1)];
        if (row < 0 || row >= table_rows) {
            bad_artifact("relative.bucket holds " + std::to_string(row) + "; expected 0 to " +
                         std::to_string(table_rows - 1));
        }
        rows[size_t(column)] = row;
    }
    return rows;
}
} // namespace

Model::Model(const std::string &folder, int max_length, Access access, const Kernel &kernel)
    : architecture(Architecture::read(folder)), weights(folder + "/model.safetensors", access) {
    Architecture &shape = architecture;
    const int full_length = shape.max_length;
    if (max_length < 0 || max_length > full_length) {
        invalid_argument("max_length is " + std::to_string(max_length) + "; expected 1 to " +
                         std::to_string(full_length) + ", or 0 for the artifact's own");
    }
    shape.max_length = max_length ? max_length : full_length;
    middle = kLanes + shape.max_length - 1;
    const Packer packer(shape, weights, memory, kernel);
    embeddings = packer.embeddings();
    int table_rows = 0;
    std::vector<int> rows;
    if (shape.positions.c2p || shape.positions.p2c) {
        table_rows = weights.rows("layers.0.relative." +
                                  std::string(shape.positions.c2p ? "key" : "query") + ".weight");
        rows = relative_rows(weights, full_length, shape.max_length, table_rows);
    }
    Rotary global, local;
    if (shape.positions.rotary) {
        global = packer.rotary("rotary.frequencies");
    }
    if (shape.positions.local_rotary) {
        local = packer.rotary("rotary.local.frequencies");
    }
    for (int i = 0; i < shape.layers; ++i) {
        const std::string name = "layers." + std::to_string(i) + ".";
        const std::string attention = name + "attention.";
        Layer layer;
        layer.projection =
            packer.product({attention + "query", attention + "key", attention + "value"},
                           shape.hidden, shape.hidden, attention);
        layer.output = packer.product({attention + "output"}, shape.hidden, shape.hidden, "");
        layer.up = packer.product({name + "ffn.up"}, shape.hidden, shape.inner(), name + "ffn.up.");
        layer.down = packer.product({name + "ffn.down"}, shape.intermediate, shape.hidden,
                                    name + "ffn.down.");
        const float epsilon = i < shape.encoding() ? shape.norm_epsilon : shape.crossing_epsilon;
        if (i > 0 || !shape.norm_before) { // the first layer reads what the embeddings' norm gave
            layer.attention_norm = packer.norm(attention + "norm", epsilon);
        }
        layer.ffn_norm = packer.norm(name + "ffn.norm", epsilon);
        if (shape.positions.c2p || shape.positions.p2c) {
            layer.heads = packer.relative(i, rows, table_rows);
        } else {
            layer.heads.resize(size_t(shape.heads));
        }
        layer.rotary = shape.local[size_t(i)] && shape.positions.local_rotary ? local : global;
        layer.reach = shape.local[size_t(i)] ? shape.reach : 0;
        layers.push_back(std::move(layer));
    }
    if (shape.norm_before) {
        final_norm = packer.norm("final_norm");
    }
    head = packer.head();
    weights.done();
}

} // namespace edge_rerank::engine
