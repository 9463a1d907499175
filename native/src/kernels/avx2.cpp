// x86-64 with AVX2 and FMA.
#include <immintrin.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace avx2 {
constexpr bool kUnsignedRows = false;
#include "kernels/lanes_avx2-inl.h"
// The byte products of AVX2 take unsigned rows and saturate in 16 bits. With the row's sign moved
// to the column, two products are at most 2 * 128 * 127 = 32512: nothing saturates.
LANES __m256i dot_eight(__m256i sum, __m256i rows, __m256i columns) {
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(rows), _mm256_sign_epi8(columns, rows));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_shorts-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace avx2

extern const Kernel kAvx2;
constexpr Kernel kAvx2 = avx2::table("avx2");
} // namespace edge_rerank::kernels
