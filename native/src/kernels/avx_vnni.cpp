// x86-64 with AVX2, FMA and the 256-bit AVX-VNNI.
#include <immintrin.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace avx_vnni {
constexpr bool kUnsignedRows = true;
#include "kernels/lanes_avx2-inl.h"
LANES __m256i dot_eight(__m256i sum, __m256i rows, __m256i columns) {
    return _mm256_dpbusd_avx_epi32(sum, rows, columns);
}
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace avx_vnni

extern const Kernel kAvxVnni;
constexpr Kernel kAvxVnni = avx_vnni::table("avx_vnni");
} // namespace edge_rerank::kernels
