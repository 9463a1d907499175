// Calls every function of each kernel that runs here with the same numbers, and compares what it
// gives with the scalar kernel's: the kernel of matrix tiles, too, on tiles in plain C++. Ends with
// 0 when all of it is the same bits.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/cpu.h"
#include "kernels/stay.h"
#include "plain_tiles.h"
#include "random_numbers.h"

namespace {
using namespace edge_rerank::kernels;

long failures = 0;
int round_up(int value, int step) { return (value + step - 1) / step * step; }

using Floats = std::vector<float>;
Floats floats(size_t count, float spread) {
    Floats values(count);
    for (float &x : values) {
        x = (float(random_bits()) / 0x1p31f - 1) * spread;
    }
    return values;
}
std::vector<int8_t> levels(size_t count) {
    std::vector<int8_t> values(count);
    for (int8_t &x : values) {
        x = int8_t(below(255) - 127);
    }
    return values;
}

// What one kernel gave: numbers, as their bits, and whether all was finite.
using Result = std::vector<uint32_t>;
void add(Result &result, const Floats &values) {
    const size_t before = result.size();
    result.resize(before + values.size());
    std::memcpy(result.data() + before, values.data(), values.size() * sizeof(float));
}
void add(Result &result, bool sound) { result.push_back(sound); }

// Quantised rows; bytes as signed ones, however the kernel stores them, without what pads them.
struct Rows {
    std::vector<uint8_t> bytes;
    Floats scales, centers;
    int stride;

    Rows(int rows, int stride)
        : bytes(size_t(rows) * size_t(stride)), scales(size_t(rows)), centers(size_t(rows)),
          stride(stride) {}
    RowsI8 out() { return {bytes.data(), stride, scales.data(), centers.data()}; }
    void add_to(Result &result, const Kernel &kernel, int columns) const {
        for (size_t i = 0; i < bytes.size(); ++i) {
            if (int(i) % stride < columns) {
                result.push_back(uint8_t(bytes[i] - kernel.row_offset));
            }
        }
        add(result, scales);
        add(result, centers);
    }
};

struct Sizes { int rows, inputs, outputs; };

// The weights of a product of int8, packed as the kernel wants them.
struct Packed {
    std::vector<int8_t> weights;
    std::vector<int32_t> start;
    Floats sums;
    int inputs;

    Packed(const Kernel &kernel, const std::vector<int8_t> &plain, const Floats &scales,
           const Sizes &sizes)
        : start(size_t(sizes.outputs)), sums(size_t(sizes.outputs)),
          inputs(padded_inputs(kernel, sizes.inputs)) {
        weights.resize(size_t(inputs) * size_t(sizes.outputs));
        for (int output = 0; output < sizes.outputs; ++output) {
            int32_t sum = 0;
            const int lane = output % kLanes;
            int8_t *group = weights.data() + size_t(output - lane) * size_t(inputs);
            for (int input = 0; input < sizes.inputs; ++input) {
                const int8_t weight = plain[size_t(input) * size_t(sizes.outputs) + size_t(output)];
                const int unit = input / kernel.unit;
                group[(unit * kLanes + lane) * kernel.unit + input % kernel.unit] = weight;
                sum += weight;
            }
            start[size_t(output)] = -kernel.row_offset * sum;
            sums[size_t(output)] = float(sum) * scales[size_t(output)];
        }
    }
};

Result products(const Kernel &kernel, const Sizes &sizes, uint64_t seed) {
    const Stay stay(kernel);
    state = seed;
    const size_t inputs = size_t(sizes.inputs), outputs = size_t(sizes.outputs);
    const Floats input = floats(size_t(sizes.rows) * inputs, 3), smooth = floats(inputs, 2);
    const Floats weights = floats(inputs * outputs, 1), bias = floats(outputs, 1);
    Floats scales = floats(outputs, 0.01f);
    Result result;
    for (const float *factors : {static_cast<const float *>(nullptr), smooth.data()}) {
        const Packed packed(kernel, levels(inputs * outputs), scales, sizes);
        Rows rows(sizes.rows, packed.inputs);
        Floats scratch(inputs);
        for (int points = 1; sizes.inputs % (points * kLanes) == 0 && points <= kMostPoints;
             points *= 2) {
            add(result, kernel.quantize(input.data(), sizes.inputs, sizes.rows, sizes.inputs,
                                        factors, points, scratch.data(), rows.out()));
            rows.add_to(result, kernel, sizes.inputs);
        }
        const ProductI8 product{packed.inputs, sizes.outputs,       packed.weights.data(),
                                scales.data(), packed.start.data(), packed.sums.data(),
                                bias.data()};
        for (int first = 0; first < sizes.outputs;
             first += sizes.outputs / kLanes / 2 * kLanes + kLanes) {
            const int count = sizes.outputs - first;
            Floats output(size_t(sizes.rows) * size_t(count));
            kernel.product_i8(rows.out(), sizes.rows, product, first, count, output.data(), count);
            add(result, output);
        }
    }
    const ProductF32 product{sizes.inputs, sizes.outputs, weights.data(), bias.data()};
    Floats output(size_t(sizes.rows) * outputs);
    kernel.product_f32(input.data(), sizes.inputs, sizes.rows, product, 0, sizes.outputs,
                       output.data(), sizes.outputs);
    add(result, output);
    return result;
}

Result rows(const Kernel &kernel, const Sizes &sizes, uint64_t seed) {
    state = seed;
    const size_t columns = size_t(sizes.inputs), all = size_t(sizes.rows) * columns;
    const Floats input = floats(all, 4), residual = floats(all, 4), smooth = floats(columns, 2),
                 gates = floats(2 * all, 4);
    const Floats weight = floats(columns, 1), bias = floats(columns, 1);
    Result result;
    for (const Activation activation :
         {Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh}) {
        Floats values = input;
        kernel.activate(values.data(), sizes.inputs, sizes.rows, sizes.inputs, activation, false);
        add(result, values);
        values = gates;
        kernel.activate(values.data(), 2 * sizes.inputs, sizes.rows, sizes.inputs, activation,
                        true);
        add(result, values);
        if (activation != Activation::tanh) { // no model has it between products
            for (const bool gated : {false, true}) {
                for (int points = 1; sizes.inputs % (points * kLanes) == 0 && points <= kMostPoints;
                     points *= 2) {
                    values = gated ? gates : input;
                    Rows quantized(sizes.rows, sizes.inputs);
                    add(result,
                        kernel.activate_quantize(values.data(), (1 + gated) * sizes.inputs,
                                                 sizes.rows, sizes.inputs, activation, gated,
                                                 smooth.data(), points, quantized.out()));
                    quantized.add_to(result, kernel, sizes.inputs);
                }
            }
        }
    }
    for (const float *rest : {static_cast<const float *>(nullptr), residual.data()}) {
        Floats values = input;
        add(result,
            kernel.norm(values.data(), sizes.inputs, rest, rest ? sizes.inputs : 0, sizes.rows,
                        sizes.inputs, {weight.data(), bias.data(), 1e-7f}, values.data()));
        add(result, values);
        Floats sums = input, apart(all);
        add(result,
            kernel.norm(sums.data(), sizes.inputs, rest, rest ? sizes.inputs : 0, sizes.rows,
                        sizes.inputs, {weight.data(), bias.data(), 1e-7f}, apart.data()));
        add(result, sums);
        add(result, apart);
    }
    Floats sum = input;
    kernel.add(residual.data(), sizes.inputs, sum.data());
    const std::vector<int8_t> table = levels(columns);
    Floats widened(columns);
    kernel.widen(table.data(), 0.37f, sizes.inputs, widened.data());
    // Heads of a whole row, of eight to a row, and one with an odd rest.
    for (const int heads : {1, 8}) {
        const int head_size = sizes.inputs / heads / 2 * 2, half = head_size / 2;
        const Floats cosines = floats(size_t(sizes.rows * half), 1),
                     sines = floats(size_t(sizes.rows * half), 1);
        Floats turned = input;
        kernel.rotate(turned.data(), sizes.inputs, sizes.rows, heads, head_size, cosines.data(),
                      sines.data());
        add(result, turned);
    }
    add(result, sum);
    add(result, widened);
    add(result, Floats{kernel.dot(input.data(), residual.data(), sizes.inputs)});
    return result;
}

struct Pair {
    int length, head_size, first, rows;
    bool c2p, p2c;
    int reach = 0;
};

// A relative table in the order of the distance, and in int8 what takes an offset out again.
struct Table {
    std::vector<int8_t> bytes;
    ptrdiff_t stride;
    Floats scales, columns;
    std::vector<int32_t> start;

    Table(int count, int head_size, int offset, bool by_column)
        : bytes(size_t(count) * size_t(head_size)), stride(by_column ? head_size : 4 * count),
          scales(floats(size_t(count), 0.01f)),
          columns(floats(size_t(count) * size_t(head_size), 1)), start(size_t(count)) {
        const std::vector<int8_t> plain = levels(bytes.size());
        for (int column = 0; column < count; ++column) {
            int32_t sum = 0;
            for (int i = 0; i < head_size; ++i) {
                const int8_t level = plain[size_t(column * head_size + i)];
                const int at =
                    by_column ? column * head_size + i : (i / 4 * count + column) * 4 + i % 4;
                bytes[size_t(at)] = int8_t(level + offset);
                sum += level;
            }
            start[size_t(column)] = -128 * sum;
        }
    }
};

template <typename Task> void fill(Task &task, const Pair &pair, Floats &scratch, Floats &output) {
    task.rows = pair.rows;
    task.first = pair.first;
    task.head_size = pair.head_size;
    task.query_stride = pair.head_size;
    task.key_factor = 0.21f;
    task.middle = kLanes + pair.length - 1;
    task.scratch = scratch.data();
    task.output = output.data();
    task.output_stride = pair.head_size;
    task.keys.count = pair.length;
    task.keys.padded = round_up(pair.length, kLanes);
    task.keys.stride = task.keys.padded;
    task.reach = pair.reach;
}

Result attention(const Kernel &kernel, const Pair &pair, uint64_t seed) {
    const Stay stay(kernel);
    state = seed;
    const int padded = round_up(pair.length, kLanes), size = pair.head_size;
    const size_t value_size = size_t(round_up(size, kLanes));
    const int distances = kLanes + round_up(2 * pair.length, kLanes) + kLanes;
    const Floats queries = floats(size_t(pair.rows * size), 2);
    const Floats keys = floats(size_t(pair.length * size), 2);
    Floats values = floats(size_t(pair.length) * value_size, 1);
    values.resize(size_t(padded) * value_size); // behind the last key it is zero
    Floats columns = floats(size_t(padded * size), 1);
    const Table c2p(distances, size, 0, false);
    const Table p2c(distances, size, kernel.row_offset, kernel.tile_head == size);
    Floats scratch(size_t(kScoreTile) * size_t(score_stride(padded)));
    Floats output(size_t(pair.rows * size));
    Result result;

    std::vector<uint8_t> bytes(size_t(pair.rows * size));
    Floats query_scales(static_cast<size_t>(pair.rows));
    for (int row = 0; row < pair.rows; ++row) {
        add(result, kernel.query_head_i8(queries.data() + row * size, size, 0.21f,
                                         bytes.data() + row * size, &query_scales[size_t(row)]));
    }
    std::vector<int8_t> quads(size_t(padded * size));
    Floats key_scales(static_cast<size_t>(padded));
    std::vector<int32_t> starts(static_cast<size_t>(padded));
    add(result, kernel.store_keys_i8(keys.data(), size, pair.length, size,
                                     {quads.data(), 4 * padded, key_scales.data(), starts.data()}));
    result.insert(result.end(), quads.begin(), quads.end());
    add(result, key_scales);

    // Stored in three parts, of which the second begins anywhere, beside what was there before.
    std::vector<int8_t> stored((size_t(padded) + 64) * value_size * size_t(kernel.value_bytes),
                               0x5A);
    Floats value_scales(static_cast<size_t>(padded), NAN), value_factors = value_scales;
    const int second = below(pair.length), third = second + below(pair.length - second);
    const int parts[] = {0, second, third, pair.length};
    for (const int part : {2, 0, 1}) {
        const int begin = parts[part];
        add(result,
            kernel.store_values_i8(values.data() + size_t(begin) * value_size,
                                   ptrdiff_t(value_size), parts[part + 1] - begin, size,
                                   {stored.data(), padded, begin, value_scales.data() + begin}));
    }
    add(result, Floats(value_scales.begin(), value_scales.begin() + pair.length));

    AttendI8 task{};
    fill(task, pair, scratch, output);
    task.queries = bytes.data();
    task.query_scales = query_scales.data();
    task.scale_stride = 1;
    task.keys.values = stored.data();
    task.keys.value_scales = value_scales.data();
    task.keys.value_factors = value_factors.data();
    task.keys.quads = quads.data();
    task.keys.scales = key_scales.data();
    task.keys.start = starts.data();
    const auto quantized = [&](const Table &table) {
        return RelativeI8{table.bytes.data(), table.stride, table.scales.data(),
                          table.start.data()};
    };
    task.c2p = pair.c2p ? quantized(c2p) : RelativeI8{};
    task.p2c = pair.p2c ? quantized(p2c) : RelativeI8{};
    add(result, kernel.attend_i8(task));
    add(result, output);

    AttendF32 other{};
    fill(other, pair, scratch, output);
    other.queries = queries.data();
    other.keys.values = values.data();
    other.keys.columns = columns.data();
    other.c2p = pair.c2p ? RelativeF32{c2p.columns.data(), distances} : RelativeF32{};
    other.p2c = pair.p2c ? RelativeF32{p2c.columns.data(), distances} : RelativeF32{};
    add(result, kernel.attend_f32(other));
    add(result, output);
    return result;
}

// Contexts of whole numbers beside those of floats, in a model without relative terms.
void compare_contexts(const Kernel &kernel, int length, int head_size, int reach) {
    const Stay stay(kernel);
    const int padded = round_up(length, kLanes), value_size = round_up(head_size, kLanes);
    const Pair pair{length, head_size, 0, length, false, false, reach};
    const Floats queries = floats(size_t(length * head_size), 1);
    const Floats keys = floats(size_t(length * head_size), 1);
    Floats values(size_t(padded * value_size)), columns(size_t(padded * head_size));
    for (int key = 0; key < length; ++key) {
        const float size = key % 7 ? 1 : 9; // keys whose values are larger than most
        for (int i = 0; i < head_size; ++i) {
            values[size_t(key * value_size + i)] = size * floats(1, 1)[0];
            columns[size_t(i * padded + key)] = keys[size_t(key * head_size + i)];
        }
    }
    Floats scratch(size_t(kScoreTile) * size_t(score_stride(padded)));
    Floats found(size_t(length * head_size)), expected(found.size());
    std::vector<uint8_t> bytes(found.size());
    Floats query_scales(static_cast<size_t>(length)), key_scales(static_cast<size_t>(padded));
    Floats value_scales(key_scales.size()), value_factors(key_scales.size());
    for (int row = 0; row < length; ++row) {
        kernel.query_head_i8(queries.data() + row * head_size, head_size, 1,
                             bytes.data() + row * head_size, &query_scales[size_t(row)]);
    }
    std::vector<int8_t> quads(size_t(padded * head_size));
    std::vector<int8_t> stored(size_t((padded + 64) * value_size * kernel.value_bytes));
    std::vector<int32_t> starts(static_cast<size_t>(padded));
    kernel.store_keys_i8(keys.data(), head_size, length, head_size,
                         {quads.data(), 4 * padded, key_scales.data(), starts.data()});
    kernel.store_values_i8(values.data(), value_size, length, head_size,
                           {stored.data(), padded, 0, value_scales.data()});
    AttendI8 task{};
    fill(task, pair, scratch, found);
    task.queries = bytes.data();
    task.query_scales = query_scales.data();
    task.scale_stride = 1;
    task.keys = {{length, padded, padded},
                 0,
                 quads.data(),
                 key_scales.data(),
                 starts.data(),
                 stored.data(),
                 value_scales.data(),
                 value_factors.data()};
    AttendF32 other{};
    fill(other, pair, scratch, expected);
    other.queries = queries.data();
    other.keys = {{length, padded, padded}, columns.data(), values.data()};
    kernel.attend_i8(task);
    kernel.attend_f32(other);
    float most = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        most = std::fmax(most, std::fabs(found[i] - expected[i]));
    }
    if (!(most < 0.1f) && ++failures < 20) {
        std::fprintf(stderr, "contexts of %s are %g off, %d keys of %d\n", kernel.name,
                     double(most), length, head_size);
    }
}

// Each function says whether a value was infinite, and the norm also whether one was not a number.
Result faults(const Kernel &kernel, float bad, int at) {
    Floats values(64, 1.0f);
    values[size_t(at)] = bad;
    const Floats ones(64, 1.0f);
    Rows rows(1, 64);
    Result result;
    Floats copy(64);
    for (const int points : {1, 4}) {
        add(result,
            kernel.quantize(values.data(), 64, 1, 64, nullptr, points, copy.data(), rows.out()));
    }
    copy = values;
    add(result, kernel.norm(copy.data(), 64, nullptr, 0, 1, 64, {ones.data(), ones.data(), 1e-7f},
                            copy.data()));
    uint8_t bytes[64];
    int8_t quads[2 * 64 * kLanes];
    float scale, scales[kLanes];
    int32_t starts[kLanes];
    add(result, kernel.query_head_i8(values.data(), 64, 1, bytes, &scale));
    add(result, kernel.store_keys_i8(values.data(), 64, 1, 64, {quads, 64, scales, starts}));
    add(result, kernel.store_values_i8(values.data(), 64, 1, 64, {quads, kLanes, 0, scales}));
    return result;
}

// Those that run here, but the scalar one, and that of the tests.
std::vector<const Kernel *> kernels_to_compare() {
    std::vector<const Kernel *> found{&kPlainTiles};
    for (const Kernel *kernel : available()) {
        try {
            found.push_back(&choose(kernel->name)); // the system may refuse matrix tiles
        } catch (const edge_rerank::Error &) {
        }
    }
    found.pop_back();
    return found;
}

void compare(const char *what, const Kernel &kernel, const Result &found, const Result &expected) {
    if (found != expected && ++failures < 20) {
        size_t at = 0;
        while (at < found.size() && at < expected.size() && found[at] == expected[at]) {
            ++at;
        }
        std::fprintf(stderr, "%s of %s differs at number %zu of %zu\n", what, kernel.name, at,
                     expected.size());
    }
}

// Rows that fill matrix tiles, or leave some over, and columns that do; the longer the rows are,
// the fewer tiles of them stay in a cache.
void compare_tall_products(const std::vector<const Kernel *> &others, uint64_t seed) {
    const Kernel &scalar = *available().back();
    for (const int count : {15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 95, 96}) {
        for (const int inputs : {16, 64, 208, 704, 1216}) {
            for (const int outputs : {16, 32, 80}) {
                const Sizes sizes{count, inputs, outputs};
                const Result expected = products(scalar, sizes, ++seed);
                for (const Kernel *kernel : others) {
                    compare("a tall product", *kernel, products(*kernel, sizes, seed), expected);
                }
            }
        }
    }
}
} // namespace

int main() {
    const Kernel &scalar = *available().back();
    const std::vector<const Kernel *> others = kernels_to_compare();
    uint64_t seed = 1;
    compare_tall_products(others, 1000);
    for (const int count : {1, 2, 3, 5, 6, 7, 13}) {
        for (const int inputs : {16, 48, 80, 384}) {
            for (const int outputs : {16, 64, 80, 208}) {
                const Sizes sizes{count, inputs, outputs};
                const Result expected = products(scalar, sizes, ++seed);
                const Result plain = rows(scalar, sizes, seed);
                for (const Kernel *kernel : others) {
                    compare("a product", *kernel, products(*kernel, sizes, seed), expected);
                    compare("a function of rows", *kernel, rows(*kernel, sizes, seed), plain);
                }
            }
        }
    }
    for (const int length : {1, 15, 16, 17, 40, 100}) {
        for (const int head_size : {4, 12, 16, 32, 64, 100, 256}) {
            for (int terms = 0; terms < 4; ++terms) {
                const int first = below(length), most = length - first;
                const Pair pair{length,          head_size,       first,
                                1 + below(most), bool(terms & 1), bool(terms & 2)};
                const Result expected = attention(scalar, pair, ++seed);
                for (const Kernel *kernel : others) {
                    compare("attention", *kernel, attention(*kernel, pair, seed), expected);
                }
            }
        }
    }
    for (const int length : {16, 47, 49, 200}) { // all rows of a head that fills matrix tiles
        for (int terms = 0; terms < 4; ++terms) {
            const Pair pair{length, 64, 0, length, bool(terms & 1), bool(terms & 2)};
            const Result expected = attention(scalar, pair, ++seed);
            for (const Kernel *kernel : others) {
                compare("attention of all", *kernel, attention(*kernel, pair, seed), expected);
            }
        }
    }
    for (const int length : {1, 16, 70, 130, 300}) {
        for (const int reach : {1, 15, 16, 64}) {
            const int first = below(length), most = length - first;
            for (const int head_size : {32, 64}) {
                const Pair pair{length,      head_size,  first, 1 + below(most),
                                reach == 15, reach == 1, reach};
                const Result expected = attention(scalar, pair, ++seed);
                for (const Kernel *kernel : others) {
                    compare("local attention", *kernel, attention(*kernel, pair, seed), expected);
                }
            }
        }
    }
    // More keys than one sum of whole numbers has room for.
    for (const int length : {1023, 1024, 1030, 2100}) {
        for (const int reach : {0, 600}) {
            for (const int head_size : {12, 64}) {
                const int first = below(length - 60);
                const Pair pair{length, head_size, first, 60, false, false, reach};
                const Result expected = attention(scalar, pair, ++seed);
                for (const Kernel *kernel : others) {
                    compare("attention to many", *kernel, attention(*kernel, pair, seed), expected);
                }
            }
        }
    }
    for (const int length : {5, 64, 90, 1300}) {
        for (const int reach : {0, 16}) {
            for (const int head_size : {12, 64}) {
                compare_contexts(scalar, length, head_size, reach);
            }
        }
    }
    for (const Kernel *kernel : others) {
        for (int at = 0; at < 64; at += 7) {
            for (const float bad : {INFINITY, -INFINITY}) {
                compare("a fault", *kernel, faults(*kernel, bad, at), Result(6, 0));
            }
            const Result found = faults(*kernel, NAN, at);
            compare("a norm's fault", *kernel, Result{found[2]}, Result{0});
        }
    }
    return failures ? 1 : 0;
}
