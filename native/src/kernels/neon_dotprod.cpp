// 64-bit ARM with dot products (Armv8.2), such as the Cortex-A76, Neoverse N1 and Apple's M1.
#include <arm_neon.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace neon_dotprod {
#include "kernels/lanes_neon-inl.h"
LANES int32x4_t dot_four(int32x4_t sum, int8x16_t rows, int8x16_t columns) {
    return vdotq_s32(sum, rows, columns);
}
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace neon_dotprod

extern const Kernel kNeonDotprod;
constexpr Kernel kNeonDotprod = neon_dotprod::table("neon_dotprod");
} // namespace edge_rerank::kernels
