#include "tokenizer/text.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kLargestText = size_t(1) << 30;
constexpr int kLongestCharacter = 4;
} // namespace

Text::Text(const edge_rerank_text &given, const char *name, size_t pair, bool goes_on)
    : bytes_(given.data, given.size), name_(name), pair_(pair), goes_on_(goes_on) {
    if (given.size > kLargestText) {
        fail("has " + std::to_string(given.size) + " bytes; expected up to 2^30");
    }
    if (!given.data && given.size) {
        fail("is null");
    }
}

std::string_view Text::first(size_t size) {
    size_t end = std::min(size, bytes_.size());
    for (int i = 1; i < kLongestCharacter && end > 0 && end < bytes_.size(); ++i) {
        if ((bytes_[end] & 0xC0) != 0x80) {
            break;
        }
        --end;
    }
    if (end > checked_) {
        checked_ += first_fault(bytes_.substr(checked_, end - checked_));
        if (checked_ < end) {
            fail("is not UTF-8 at byte " + std::to_string(checked_));
        }
    }
    return bytes_.substr(0, end);
}

void Text::fail(const std::string &what) const {
    invalid_argument("pair " + std::to_string(pair_) + ": the " + name_ + " " + what);
}

} // namespace edge_rerank::tokenizer
