#include "base/json.h"

#include <algorithm>
#include <cmath>

#include "base/json_cursor.h"

namespace edge_rerank {

namespace {
constexpr int kDeepest = 32;
// A value takes a hundred bytes and may be two in the text; real files have some thousands.
constexpr int kMostValues = 1 << 18;
} // namespace

class JsonParser {
  public:
    JsonParser(std::string_view text, const std::string &where) : cursor_(text, where) {}

    Json document() {
        Json result = value(0);
        cursor_.skip_space();
        if (!cursor_.at_end()) {
            cursor_.fail("text behind its end");
        }
        return result;
    }

  private:
    JsonCursor cursor_;
    int values_ = 0;

    Json value(int depth) {
        if (depth > kDeepest) {
            cursor_.fail("nested too deeply");
        }
        if (++values_ > kMostValues) {
            cursor_.fail("too many values");
        }
        cursor_.skip_space();
        switch (cursor_.peek()) {
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
        cursor_.expect_word(wanted);
        Json result;
        result.kind_ = kind;
        result.number_ = number;
        return result;
    }

    Json number() {
        Json result;
        result.kind_ = Json::Kind::number;
        result.number_ = cursor_.number();
        return result;
    }

    Json text() {
        Json result;
        result.kind_ = Json::Kind::text;
        cursor_.text(result.text_);
        return result;
    }

    Json list(int depth) {
        Json result;
        result.kind_ = Json::Kind::list;
        cursor_.expect('[', "expected [");
        if (cursor_.take(']')) {
            return result;
        }
        do {
            result.list_.push_back(value(depth + 1));
        } while (cursor_.take(','));
        cursor_.expect(']', "expected , or ]");
        return result;
    }

    Json object(int depth) {
        Json result;
        result.kind_ = Json::Kind::object;
        cursor_.expect('{', "expected {");
        if (cursor_.take('}')) {
            return result;
        }
        do {
            std::string name = cursor_.name();
            result.members_.emplace_back(std::move(name), value(depth + 1));
        } while (cursor_.take(','));
        cursor_.expect('}', "expected , or }");
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
            cursor_.fail("a member that is there twice");
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
