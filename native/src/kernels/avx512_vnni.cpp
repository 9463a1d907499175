// x86-64 with AVX-512 (F, BW, DQ, VL) and VNNI.
#include <immintrin.h>

#include "kernels.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank {
namespace avx512_vnni {
#include "kernels/lanes_avx512.h"
#include "kernels/rows.h"
#include "kernels/products.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
} // namespace avx512_vnni

using namespace avx512_vnni;
const Kernel kAvx512Vnni = KERNEL_TABLE("avx512_vnni", 4, product_i8);
} // namespace edge_rerank
