// x86-64 with AVX-512 (F, BW, DQ, VL) and VNNI.
#include <immintrin.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace avx512_vnni {
#include "kernels/lanes_avx512-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace avx512_vnni

extern const Kernel kAvx512Vnni;
constexpr Kernel kAvx512Vnni = avx512_vnni::table("avx512_vnni");
} // namespace edge_rerank::kernels
