// Any CPU.
#include "kernels.h"

#define LANES [[maybe_unused]] static inline

namespace edge_rerank {
namespace scalar {
#include "kernels/lanes_scalar.h"
#include "kernels/rows.h"
#include "kernels/products.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
} // namespace scalar

using namespace scalar;
const Kernel kScalar = KERNEL_TABLE("scalar", 4, product_i8);
} // namespace edge_rerank
