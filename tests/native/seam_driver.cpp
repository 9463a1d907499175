// A kernel that wants more of the plan than those of today: padded inputs, tall tiles, and threads
// that say when they come and go. seam_driver FOLDER...; ends with 0 when it gives the scalar
// kernel's bits, of which it is made, and no thread called it from outside. So does that of matrix
// tiles, on tiles in plain C++, which ends the program where a thread has not set them up.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <vector>

#include "engine/engine.h"
#include "kernels/cpu.h"
#include "plain_tiles.h"

namespace {
using namespace edge_rerank;

std::atomic<int> entered{0}, failures{0};
thread_local int inside = 0;
const kernels::Kernel &scalar = *kernels::available().back();

void expect(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "%s\n", what);
        ++failures;
    }
}

void product_i8(const kernels::RowsI8 &input, int rows, const kernels::ProductI8 &product,
                int first, int count, float *output, ptrdiff_t stride) {
    expect(inside == 1, "a product by a thread that has not entered");
    expect(product.inputs % 64 == 0, "inputs that are not padded");
    expect(input.stride == product.inputs, "rows that are not as long as the product");
    scalar.product_i8(input, rows, product, first, count, output, stride);
}

// What pads a row may be anything.
bool quantize(const float *input, ptrdiff_t stride, int rows, int columns, const float *smooth,
              int points, float *scratch, const kernels::RowsI8 &output) {
    const bool sound =
        scalar.quantize(input, stride, rows, columns, smooth, points, scratch, output);
    for (int row = 0; row < rows; ++row) {
        std::memset(output.bytes + row * output.stride + columns, 0x5A, output.stride - columns);
    }
    return sound;
}

kernels::Kernel demanding(int tile_rows) {
    kernels::Kernel kernel = scalar;
    kernel.name = "demanding";
    kernel.input_multiple = 64;
    kernel.tile_rows = tile_rows;
    kernel.product_i8 = product_i8;
    kernel.quantize = quantize;
    kernel.enter = [] {
        ++inside;
        ++entered;
    };
    kernel.leave = [] { --inside; };
    return kernel;
}

std::vector<float> score(const char *folder, const kernels::Kernel &kernel, int threads) {
    std::vector<int32_t> ids, first_segments;
    std::vector<int64_t> offsets{0};
    for (int pair = 0; pair < 40; ++pair) {
        for (int i = 0; i <= pair % 12; ++i) {
            ids.push_back((7 * pair + 3 * i) % 8);
        }
        offsets.push_back(int64_t(ids.size()));
        first_segments.push_back(pair % 12 + 1);
    }
    engine::Engine engine(folder, {threads, 0, 400, Access::copied}, kernel);
    std::vector<float> logits(offsets.size() - 1);
    engine.score({ids.data(), offsets.data(), first_segments.data(), logits.size()}, {},
                 logits.data());
    return logits;
}
} // namespace

int main(int count, char **folders) {
    for (int i = 1; i < count; ++i) {
        const std::vector<float> expected = score(folders[i], scalar, 1);
        for (const int threads : {1, 3}) {
            const std::vector<float> found = score(folders[i], kernels::kPlainTiles, threads);
            expect(!std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)),
                   "matrix tiles");
        }
        for (const int tile_rows : {1, 5, 16, 96}) {
            for (const int threads : {1, 3}) {
                const kernels::Kernel kernel = demanding(tile_rows);
                const int before = entered;
                const std::vector<float> found = score(folders[i], kernel, threads);
                expect(entered > before, "no thread entered");
                expect(inside == 0, "the caller has not left");
                expect(!std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)),
                       folders[i]);
            }
        }
    }
    return failures ? 1 : 0;
}
