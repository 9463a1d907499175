// 64-bit ARM with dot products (Armv8.2), such as the Cortex-A76, Neoverse N1 and Apple's M1.
#include <arm_neon.h>

#include "kernels.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank {
namespace neon_dotprod {
#include "kernels/lanes_neon.h"
LANES int32x4_t dot_four(int32x4_t sum, int8x16_t rows, int8x16_t columns) {
    return vdotq_s32(sum, rows, columns);
}
#include "kernels/rows.h"
#include "kernels/products.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
} // namespace neon_dotprod

using namespace neon_dotprod;
const Kernel kNeonDotprod = KERNEL_TABLE("neon_dotprod", 4, product_i8);
} // namespace edge_rerank
