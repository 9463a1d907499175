// The one exception of the library; the C interface turns it into a status and a text.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "edge_rerank.h"

namespace edge_rerank {

class Error : public std::exception {
  public:
    Error(edge_rerank_status status, std::string text) : status_(status), text_(std::move(text)) {}

    edge_rerank_status status() const { return status_; }
    const char *what() const noexcept override { return text_.c_str(); }

  private:
    edge_rerank_status status_;
    std::string text_;
};

[[noreturn]] inline void bad_artifact(const std::string &text) {
    throw Error(EDGE_RERANK_BAD_ARTIFACT, text);
}
[[noreturn]] inline void unsupported(const std::string &text) {
    throw Error(EDGE_RERANK_UNSUPPORTED, text);
}
[[noreturn]] inline void invalid_argument(const std::string &text) {
    throw Error(EDGE_RERANK_INVALID_ARGUMENT, text);
}

} // namespace edge_rerank
