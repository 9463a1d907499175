#include "base/json_cursor.h"

#include <charconv>

#include "base/error.h"
#include "base/utf8.h"

namespace edge_rerank {

namespace {
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }
} // namespace

void JsonCursor::fail(const char *what) const {
    bad_artifact(where_ + ": not valid JSON at byte " + std::to_string(at_) + ": " + what);
}

void JsonCursor::skip_space() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
            return;
        }
        ++at_;
    }
}

bool JsonCursor::take(char wanted) {
    skip_space();
    if (at_end() || peek() != wanted) {
        return false;
    }
    ++at_;
    return true;
}

void JsonCursor::expect(char wanted, const char *what) {
    if (!take(wanted)) {
        fail(what);
    }
}

void JsonCursor::expect_word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) {
        fail("an unknown word");
    }
    at_ += wanted.size();
}

void JsonCursor::digits() {
    if (!is_digit(peek())) {
        fail("expected a digit");
    }
    while (is_digit(peek())) {
        ++at_;
    }
}

double JsonCursor::number() {
    const size_t start = at_;
    at_ += peek() == '-';
    if (peek() == '0') {
        ++at_;
    } else {
        digits();
    }
    if (peek() == '.') {
        ++at_;
        digits();
    }
    if (peek() == 'e' || peek() == 'E') {
        ++at_;
        at_ += peek() == '+' || peek() == '-';
        digits();
    }
    double result = 0;
    // Not strtod, which reads "0.5" as 0 where the program's locale has decimal commas.
    const char *first = text_.data() + start, *last = text_.data() + at_;
    if (std::from_chars(first, last, result).ec != std::errc()) {
        fail("a number that is too large or too small");
    }
    return result;
}

uint32_t JsonCursor::four_digits() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = peek();
        const int digit = is_digit(c)            ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            fail("expected four hexadecimal digits");
        }
        code = code * 16 + uint32_t(digit);
    }
    return code;
}

uint32_t JsonCursor::escaped_code() {
    const uint32_t code = four_digits();
    if (code < 0xD800 || code > 0xDFFF) {
        return code;
    }
    if (code > 0xDBFF || text_.substr(at_, 2) != "\\u") {
        fail("half of a surrogate pair");
    }
    at_ += 2;
    const uint32_t low = four_digits();
    if (low < 0xDC00 || low > 0xDFFF) {
        fail("half of a surrogate pair");
    }
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

void JsonCursor::escape(std::string &result) {
    static const std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (c == 'u') {
        append_utf8(result, escaped_code());
        return;
    }
    const size_t index = names.find(c);
    if (index == std::string_view::npos) {
        fail("an unknown escape");
    }
    result += values[index];
}

void JsonCursor::text(std::string &result) {
    ++at_;
    while (true) {
        const size_t start = at_;
        while (at_ < text_.size() && is_plain(text_[at_])) {
            ++at_;
        }
        result.append(text_.data() + start, at_ - start);
        if (at_end() || static_cast<unsigned char>(text_[at_]) < 0x20) {
            fail("a text without an end");
        }
        if (text_[at_++] == '"') {
            return;
        }
        escape(result);
    }
}

std::string JsonCursor::name() {
    skip_space();
    if (peek() != '"') {
        fail("expected a member's name");
    }
    std::string result;
    text(result);
    expect(':', "expected :");
    return result;
}

void JsonCursor::skip_text() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
        at_ += text_[at_] == '\\';
    }
    if (at_ >= text_.size()) {
        at_ = text_.size();
        fail("a text without an end");
    }
    ++at_;
}

void JsonCursor::skip_value() {
    size_t depth = 0;
    do {
        skip_space();
        const char c = peek();
        if (at_end()) {
            fail("expected a value");
        } else if (c == '"') {
            skip_text();
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            fail("expected a value");
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        ++at_;
        // A number or a word ends where anything else begins.
        while (depth == 0 && c != '}' && c != ']' && !at_end() &&
               std::string_view(" \t\n\r,]}").find(peek()) == std::string_view::npos) {
            ++at_;
        }
    } while (depth > 0);
}

} // namespace edge_rerank
