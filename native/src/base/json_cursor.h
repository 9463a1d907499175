// A place in a JSON text (RFC 8259), which moves over the values that are there, strictly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edge_rerank {

class JsonCursor {
  public:
    // `where` begins the text of every error, an Error with EDGE_RERANK_BAD_ARTIFACT.
    JsonCursor(std::string_view text, const std::string &where) : text_(text), where_(where) {}

    size_t at() const { return at_; }
    bool at_end() const { return at_ == text_.size(); }
    // The text between two places.
    std::string_view between(size_t start, size_t end) const {
        return text_.substr(start, end - start);
    }

    [[noreturn]] void fail(const char *what) const;

    void skip_space();
    // The character here, or a zero byte at the end.
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    // Skips space, and then `wanted` if it is there.
    bool take(char wanted);
    // The same, and fails with `what` if it is not.
    void expect(char wanted, const char *what);
    void expect_word(std::string_view wanted);

    // Appends the text that begins here, with a quote, to `result`.
    void text(std::string &result);
    // The name of a member, and the colon behind it.
    std::string name();
    double number();
    // Moves over a value of any kind; what is in it is only looked at as far as that needs.
    void skip_value();

  private:
    std::string_view text_;
    const std::string &where_;
    size_t at_ = 0;

    void digits();
    void escape(std::string &result);
    uint32_t escaped_code();
    uint32_t four_digits();
    void skip_text();
};

} // namespace edge_rerank
