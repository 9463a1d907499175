// A text that a caller gave, which is checked as far as it is read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "edge_rerank.h"

namespace edge_rerank::tokenizer {

class Text {
  public:
    // `name` and `pair` say in errors which one it is; `goes_on`: whether it is the beginning of
    // a text of which the caller keeps the rest. Raises Error with EDGE_RERANK_INVALID_ARGUMENT for
    // a null pointer and for a text that is too large.
    Text(const edge_rerank_text &given, const char *name, size_t pair, bool goes_on);

    size_t size() const { return bytes_.size(); }
    bool goes_on() const { return goes_on_; }

    // All of it, or what its first bytes have of whole characters. Raises Error with
    // EDGE_RERANK_INVALID_ARGUMENT where that is not UTF-8.
    std::string_view all() { return first(size()); }
    std::string_view first(size_t size);

  private:
    std::string_view bytes_;
    const char *name_;
    size_t pair_;
    bool goes_on_;
    size_t checked_ = 0;

    [[noreturn]] void fail(const std::string &what) const;
};

} // namespace edge_rerank::tokenizer
