// Which kernels this CPU can run.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace edge_rerank::kernels {

// Those that run here, fastest first; the scalar one is always the last.
const std::vector<const Kernel *> &available();

// The one of this name, the one that EDGE_RERANK_KERNEL names when `name` is null or empty, or
// else the fastest. Raises Error with EDGE_RERANK_UNSUPPORTED for one that does not run here.
const Kernel &choose(const char *name);

} // namespace edge_rerank::kernels
