// Pages of memory, straight from the system: zeroed without being touched, and given back for sure.
#pragma once

#include <cstddef>

namespace edge_rerank {

// Raises std::bad_alloc.
void *reserve_pages(size_t size);
void free_pages(void *start, size_t size);

// Asks for large pages where the system has them, for what is soon written from end to end: filling
// 73 MB takes a third less time with them.
void prefer_large_pages(void *start, size_t size);

// Gives back what the pages hold that lie whole within these bytes; they stay reserved, or mapped.
void forget_pages(void *start, size_t size);

} // namespace edge_rerank
