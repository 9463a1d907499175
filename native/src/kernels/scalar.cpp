// Any CPU.
#include "kernels/kernel.h"

#define LANES [[maybe_unused]] static inline

namespace edge_rerank::kernels {
namespace scalar {
constexpr bool kUnsignedRows = false;
#include "kernels/lanes_scalar-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
} // namespace scalar

extern const Kernel kScalar;
constexpr Kernel kScalar = scalar::table("scalar");
} // namespace edge_rerank::kernels
