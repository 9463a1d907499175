// x86-64 with SSE4.1 and no AVX2: Nehalem to Ivy Bridge, and Atoms and Celerons to this day.
#include <smmintrin.h>

#include "kernels.h"

#define LANES [[maybe_unused]] static inline __attribute__((always_inline))

namespace edge_rerank {
namespace sse41 {
#include "kernels/lanes_sse41.h"
#include "kernels/double_sums.h"
#include "kernels/rows.h"
#include "kernels/products.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
} // namespace sse41

using namespace sse41;
const Kernel kSse41 = KERNEL_TABLE("sse41", 4, product_i8);
} // namespace edge_rerank
