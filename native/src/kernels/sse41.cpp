// x86-64 with SSE4.1 and no AVX2: Nehalem to Ivy Bridge, and Atoms and Celerons to this day.
#include <smmintrin.h>

#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank::kernels {
namespace sse41 {
#include "kernels/lanes_sse41-inl.h"
#include "kernels/double_sums-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_shorts-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace sse41

extern const Kernel kSse41;
constexpr Kernel kSse41 = sse41::table("sse41");
} // namespace edge_rerank::kernels
