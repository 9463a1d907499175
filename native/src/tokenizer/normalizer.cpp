#include "tokenizer/normalizer.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/bert_folding.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
class Nothing : public Normalizer {
  public:
    std::string apply(std::string_view text) const override { return std::string(text); }
};

class Sequence : public Normalizer {
  public:
    explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}

    std::string apply(std::string_view text) const override {
        std::string result(text);
        for (const auto &step : steps_) {
            result = step->apply(result);
        }
        return result;
    }

  private:
    std::vector<std::unique_ptr<Normalizer>> steps_;
};

// Takes white space off the ends.
class Strip : public Normalizer {
  public:
    Strip(bool left, bool right) : left_(left), right_(right) {}

    std::string apply(std::string_view text) const override {
        size_t start = 0, end = text.size();
        while (left_ && start < end && is_space(char_at(text, start))) {
            start += char_size(text[start]);
        }
        while (right_ && start < end && is_space(char_at(text, char_before(text, end)))) {
            end = char_before(text, end);
        }
        return std::string(text.substr(start, end - start));
    }

  private:
    bool left_, right_;
};

class Precompiled : public Normalizer {
  public:
    Precompiled(std::string_view base64, const std::string &where) : charsmap_(base64, where) {}

    std::string apply(std::string_view text) const override {
        std::string result;
        result.reserve(text.size());
        charsmap_.apply(text, result);
        return result;
    }

  private:
    Charsmap charsmap_;
};

// Puts one blank in the place of several.
class OneBlank : public Normalizer {
  public:
    std::string apply(std::string_view text) const override {
        std::string result;
        result.reserve(text.size());
        for (size_t i = 0; i < text.size(); ++i) {
            if (text[i] != ' ' || i == 0 || text[i - 1] != ' ') {
                result += text[i];
            }
        }
        return result;
    }
};

class Bert : public Normalizer {
  public:
    explicit Bert(bool cased) : cased_(cased) {}

    std::string apply(std::string_view text) const override {
        return cased_ ? clean_for_bert(text) : fold_for_bert(text);
    }

  private:
    bool cased_;
};

std::unique_ptr<Normalizer> make_bert(const Json *described, const std::string &where) {
    allow_members(described,
                  {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"},
                  where);
    const bool lowercase = bool_member(described, "lowercase", where);
    // Accents go where all becomes lower case, unless the file says otherwise.
    const Json *accents = described->find("strip_accents");
    const bool strips = !accents || accents->kind() == Json::Kind::null
                            ? lowercase
                            : bool_member(described, "strip_accents", where);
    if (!bool_member(described, "clean_text", where) ||
        !bool_member(described, "handle_chinese_chars", where) || strips != lowercase) {
        unsupported(where + ": a BertNormalizer that does not clean, or that changes case and "
                            "accents one without the other");
    }
    return std::make_unique<Bert>(!lowercase);
}

std::unique_ptr<Normalizer> make_strip(const Json *described, const std::string &where) {
    allow_members(described, {"type", "strip_left", "strip_right"}, where);
    return std::make_unique<Strip>(bool_member(described, "strip_left", where),
                                   bool_member(described, "strip_right", where));
}

std::unique_ptr<Normalizer> make_precompiled(const Json *described, const std::string &where) {
    allow_members(described, {"type", "precompiled_charsmap"}, where);
    return std::make_unique<Precompiled>(text_member(described, "precompiled_charsmap", where),
                                         where);
}

std::unique_ptr<Normalizer> make_replace(const Json *described, const std::string &where) {
    allow_members(described, {"type", "pattern", "content"}, where);
    const Json &pattern = member(described, "pattern", Json::Kind::object, where);
    allow_members(&pattern, {"Regex"}, where);
    if (text_member(&pattern, "Regex", where) != " {2,}" ||
        text_member(described, "content", where) != " ") {
        unsupported(where + ": a replacement other than of several blanks by one");
    }
    return std::make_unique<OneBlank>();
}

std::unique_ptr<Normalizer> make_sequence(const Json *described, const std::string &where) {
    allow_members(described, {"type", "normalizers"}, where);
    std::vector<std::unique_ptr<Normalizer>> steps;
    for (const Json &each : member(described, "normalizers", Json::Kind::list, where).list()) {
        steps.push_back(make_normalizer(&each, where));
    }
    return std::make_unique<Sequence>(std::move(steps));
}
} // namespace

std::unique_ptr<Normalizer> make_normalizer(const Json *described, const std::string &where) {
    if (!described || described->kind() == Json::Kind::null) {
        return std::make_unique<Nothing>();
    }
    if (is_type(described, "Sequence")) {
        return make_sequence(described, where);
    }
    if (is_type(described, "BertNormalizer")) {
        return make_bert(described, where);
    }
    if (is_type(described, "Strip")) {
        return make_strip(described, where);
    }
    if (is_type(described, "Precompiled")) {
        return make_precompiled(described, where);
    }
    if (is_type(described, "Replace")) {
        return make_replace(described, where);
    }
    unsupported(where + ": the normalizer " + type_of(described) + " is not known");
}

} // namespace edge_rerank::tokenizer
