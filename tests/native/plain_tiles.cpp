// The kernel of matrix tiles without the hardware: the same packing, blocks, edges and epilogue as
// amx_int8, on tiles and lanes in plain C++.
#include "plain_tiles.h"

#define LANES [[maybe_unused]] static inline

namespace edge_rerank::kernels {
namespace plain_tiles {
constexpr bool kUnsignedRows = true;
#include "kernels/lanes_scalar-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/products-inl.h"
#include "kernels/value_bytes-inl.h"
#include "kernels/heads-inl.h"
#include "kernels/contexts-inl.h"
#include "kernels/attention-inl.h"
#include "kernels/table-inl.h"
#include "tiles_plain-inl.h"
#include "kernels/tile_products-inl.h"
#include "kernels/tile_attention-inl.h"
#include "kernels/tile_table-inl.h"
} // namespace plain_tiles

const Kernel kPlainTiles = plain_tiles::tile_table("plain_tiles");
} // namespace edge_rerank::kernels
