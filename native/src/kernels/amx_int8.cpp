// x86-64 with matrix tiles (AMX-INT8): linear products and scores of attention on tiles, all
// else as in avx512_vnni.
#include <immintrin.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace amx_int8 {
#include "kernels/lanes_avx512-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
#include "kernels/tiles_amx-inl.h"
#include "kernels/tile_products-inl.h"
#include "kernels/tile_attention-inl.h"
#include "kernels/tile_table-inl.h"
} // namespace amx_int8

extern const Kernel kAmxInt8;
constexpr Kernel kAmxInt8 = amx_int8::tile_table("amx_int8");
} // namespace edge_rerank::kernels
