// Which kernels this CPU can run.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace edge_rerank {

// Those that run here, fastest first; the scalar one is always the last.
const std::vector<const Kernel *> &kernels();

// The one of this name, the one that EDGE_RERANK_KERNEL names when `name` is null or empty, or
// else the fastest. Raises Error with EDGE_RERANK_UNSUPPORTED for one that does not run here.
const Kernel &choose_kernel(const char *name);

} // namespace edge_rerank
