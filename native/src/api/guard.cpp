#include "api/guard.h"

#include <string>

#include "base/line.h"

namespace edge_rerank::api {

namespace {
std::string &last_error() {
    thread_local std::string text;
    return text;
}
} // namespace

const char *last_error_text() { return last_error().c_str(); }

edge_rerank_status failed(edge_rerank_status status, const char *text) noexcept {
    try {
        last_error() = one_line(text);
    } catch (...) {
        last_error().clear();
    }
    return status;
}

void need(const void *pointer, const char *name) {
    if (!pointer) {
        invalid_argument(std::string(name) + " is null");
    }
}

void need_size(uint32_t size, uint32_t least, const char *name) {
    if (size < least) {
        invalid_argument(std::string(name) + ".size is " + std::to_string(size) +
                         "; expected sizeof(edge_rerank_" + name + "), " + std::to_string(least) +
                         " or more");
    }
}

} // namespace edge_rerank::api
