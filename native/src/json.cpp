#include "json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "error.h"

namespace edge_rerank {

namespace {
constexpr int kDeepest = 32;
// A value takes a hundred bytes and may be two in the text; real files have some thousands.
constexpr int kMostValues = 1 << 18;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string &text, uint32_t code) {
    if (code < 0x80) {
        text += char(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    text += char(lead[more] | (code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) {
        text += char(0x80 | ((code >> (6 * i)) & 0x3F));
    }
}
} // namespace

class JsonParser {
  public:
    JsonParser(std::string_view text, const std::string &where) : text_(text), where_(where) {}

    Json document() {
        Json result = value(0);
        skip_space();
        if (at_ != text_.size()) {
            fail("text behind its end");
        }
        return result;
    }

  private:
    std::string_view text_;
    const std::string &where_;
    size_t at_ = 0;
    int values_ = 0;

    [[noreturn]] void fail(const char *what) const {
        bad_artifact(where_ + ": not valid JSON at byte " + std::to_string(at_) + ": " + what);
    }

    void skip_space() {
        while (at_ < text_.size() &&
               std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool take(char wanted) {
        skip_space();
        if (peek() != wanted || at_ == text_.size()) {
            return false;
        }
        ++at_;
        return true;
    }

    void expect(char wanted, const char *what) {
        if (!take(wanted)) {
            fail(what);
        }
    }

    Json value(int depth) {
        if (depth > kDeepest) {
            fail("nested too deeply");
        }
        if (++values_ > kMostValues) {
            fail("too many values");
        }
        skip_space();
        switch (peek()) {
            case '{': return object(depth);
            case '[': return list(depth);
            case '"': return text();
            case 't': return word("true", Json::Kind::boolean, 1);
            case 'f': return word("false", Json::Kind::boolean, 0);
            case 'n': return word("null", Json::Kind::null, 0);
            default: return number();
        }
    }

    Json word(std::string_view wanted, Json::Kind kind, double number) {
        if (text_.substr(at_, wanted.size()) != wanted) {
            fail("an unknown word");
        }
        at_ += wanted.size();
        Json result;
        result.kind_ = kind;
        result.number_ = number;
        return result;
    }

    void digits() {
        if (!is_digit(peek())) {
            fail("expected a digit");
        }
        while (is_digit(peek())) {
            ++at_;
        }
    }

    Json number() {
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
        Json result;
        result.kind_ = Json::Kind::number;
        // Not strtod, which reads "0.5" as 0 where the program's locale has decimal commas.
        const char *first = text_.data() + start, *last = text_.data() + at_;
        if (std::from_chars(first, last, result.number_).ec != std::errc()) {
            fail("a number that is too large or too small");
        }
        return result;
    }

    uint32_t four_digits() {
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

    uint32_t escaped_code() {
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

    void escape(std::string &result) {
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

    Json text() {
        Json result;
        result.kind_ = Json::Kind::text;
        ++at_;
        while (true) {
            if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) {
                fail("a text without an end");
            }
            const char c = text_[at_++];
            if (c == '"') {
                return result;
            }
            if (c == '\\') {
                escape(result.text_);
            } else {
                result.text_ += c;
            }
        }
    }

    Json list(int depth) {
        Json result;
        result.kind_ = Json::Kind::list;
        ++at_;
        if (take(']')) {
            return result;
        }
        do {
            result.list_.push_back(value(depth + 1));
        } while (take(','));
        expect(']', "expected , or ]");
        return result;
    }

    Json object(int depth) {
        Json result;
        result.kind_ = Json::Kind::object;
        ++at_;
        if (take('}')) {
            return result;
        }
        do {
            skip_space();
            if (peek() != '"') {
                fail("expected a member's name");
            }
            std::string name = text().text_;
            expect(':', "expected :");
            result.members_.emplace_back(std::move(name), value(depth + 1));
        } while (take(','));
        expect('}', "expected , or }");
        refuse_repeated(result);
        return result;
    }

    void refuse_repeated(const Json &object) const {
        std::vector<std::string_view> names;
        for (const auto &member : object.members_) {
            names.push_back(member.first);
        }
        std::sort(names.begin(), names.end());
        if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
            fail("a member that is there twice");
        }
    }
};

Json Json::parse(std::string_view text, const std::string &where) {
    return JsonParser(text, where).document();
}

bool Json::whole() const {
    return kind_ == Kind::number && std::fabs(number_) <= 9007199254740992.0 &&
           number_ == std::floor(number_);
}

const Json *Json::find(std::string_view name) const {
    for (const auto &member : members_) {
        if (member.first == name) {
            return &member.second;
        }
    }
    return nullptr;
}

} // namespace edge_rerank
