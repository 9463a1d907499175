// A kernel of the tests' own; see plain_tiles.cpp.
#pragma once

#include "kernels/kernel.h"

namespace edge_rerank::kernels {
extern const Kernel kPlainTiles;
} // namespace edge_rerank::kernels
