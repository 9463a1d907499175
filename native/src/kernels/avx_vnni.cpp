// x86-64 with AVX2, FMA and the 256-bit AVX-VNNI.
#include <immintrin.h>

#include "kernels.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank {
namespace avx_vnni {
constexpr bool kUnsignedRows = true;
#include "kernels/lanes_avx2.h"
LANES __m256i dot_eight(__m256i sum, __m256i rows, __m256i columns) {
    return _mm256_dpbusd_avx_epi32(sum, rows, columns);
}
#include "kernels/rows.h"
#include "kernels/products.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
} // namespace avx_vnni

using namespace avx_vnni;
const Kernel kAvxVnni = KERNEL_TABLE("avx_vnni", 4, product_i8);
} // namespace edge_rerank
