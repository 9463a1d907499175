// 64-bit ARM without dot products, such as the Cortex-A72.
#include <arm_neon.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace neon {
#include "kernels/lanes_neon-inl.h"
// Two products at a time are added in 16 bits, which hold them: 2 * 128 * 127 = 32512.
LANES int32x4_t dot_four(int32x4_t sum, int8x16_t rows, int8x16_t columns) {
    const int16x8_t low = vmull_s8(vget_low_s8(rows), vget_low_s8(columns));
    const int16x8_t high = vmull_high_s8(rows, columns);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_shorts-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace neon

extern const Kernel kNeon;
constexpr Kernel kNeon = neon::table("neon");
} // namespace edge_rerank::kernels
