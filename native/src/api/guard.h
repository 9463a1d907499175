// What all functions of the C interface share: no exception gets out, arguments are there, and
// numbers are computed in the default floating-point environment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>

#include "base/default_floats.h"
#include "base/error.h"
#include "edge_rerank.h"

namespace edge_rerank::api {

// What went wrong in this thread's last call that failed.
const char *last_error_text();

// Remembers the text, or as much as there is memory for, and gives the status.
edge_rerank_status failed(edge_rerank_status status, const char *text) noexcept;

template <typename Act> edge_rerank_status guarded(Act act) noexcept {
    const DefaultFloats floats;
    try {
        act();
        return EDGE_RERANK_OK;
    } catch (const Error &error) {
        return failed(error.status(), error.what());
    } catch (const std::bad_alloc &) {
        return failed(EDGE_RERANK_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &error) {
        return failed(EDGE_RERANK_INTERNAL, error.what());
    } catch (...) {
        return failed(EDGE_RERANK_INTERNAL, "an unknown fault");
    }
}

// Raises Error where the pointer is null.
void need(const void *pointer, const char *name);

// Raises Error where a struct's size is less than that of its first version.
void need_size(uint32_t size, uint32_t least, const char *name);

constexpr int kMostThreads = 256; // of an engine, or of a tokenizer's call

// The size that a struct has in the interface's first version, from its last member there: what
// sizeof says grows, and programs built with an older header are to go on.
#define FIRST_SIZE(type, last) (offsetof(type, last) + sizeof(type::last))

} // namespace edge_rerank::api
