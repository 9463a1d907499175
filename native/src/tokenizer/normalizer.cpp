#include "tokenizer/normalizer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/bert_folding.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/forms.h"
#include "tokenizer/members.h"
#include "tokenizer/steady.h"

namespace edge_rerank::tokenizer {

bool Normalizer::keeps_steady(std::string &character) const {
    character = apply(character);
    return is_steady(character);
}

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

    bool keeps_start() const override {
        return std::all_of(steps_.begin(), steps_.end(),
                           [](const auto &step) { return step->keeps_start(); });
    }

    bool keeps_steady(std::string &character) const override {
        return std::all_of(steps_.begin(), steps_.end(), [&](const auto &step) {
            return is_steady(character) && step->keeps_steady(character);
        });
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

    bool keeps_start() const override { return !left_; }

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

// Puts a text in the place of several blanks.
class ReplaceBlanks : public Normalizer {
  public:
    explicit ReplaceBlanks(std::string content) : content_(std::move(content)) {}

    std::string apply(std::string_view text) const override {
        std::string result;
        result.reserve(text.size());
        for (size_t at = 0; at < text.size();) {
            const size_t blank = std::min(text.find(' ', at), text.size());
            const size_t end = std::min(text.find_first_not_of(' ', blank), text.size());
            result.append(text.substr(at, blank - at));
            result.append(end - blank > 1 ? std::string_view(content_)
                                          : text.substr(blank, end - blank));
            at = end;
        }
        return result;
    }

    bool keeps_start() const override { return !content_.empty(); }

  private:
    std::string content_;
};

// Puts a text in the place of another, from left to right.
class ReplaceText : public Normalizer {
  public:
    ReplaceText(std::string pattern, std::string content)
        : pattern_(std::move(pattern)), content_(std::move(content)) {}

    std::string apply(std::string_view text) const override {
        std::string result;
        result.reserve(text.size());
        size_t at = 0;
        for (size_t found; (found = text.find(pattern_, at)) != std::string_view::npos;
             at = found + pattern_.size()) {
            result.append(text.substr(at, found - at)).append(content_);
        }
        return result.append(text.substr(at));
    }

    bool keeps_start() const override { return !content_.empty(); }

    // A pattern that holds two of them side by side might lie on both sides of a cut.
    bool keeps_steady(std::string &character) const override {
        for (size_t at = char_size(pattern_[0]); at < pattern_.size();
             at += char_size(pattern_[at])) {
            if (is_steady(char_at(pattern_, at)) &&
                is_steady(char_at(pattern_, char_before(pattern_, at)))) {
                return false;
            }
        }
        return Normalizer::keeps_steady(character);
    }

  private:
    std::string pattern_, content_;
};

class Prepend : public Normalizer {
  public:
    explicit Prepend(std::string content) : content_(std::move(content)) {}

    std::string apply(std::string_view text) const override {
        return text.empty() ? std::string() : content_ + std::string(text);
    }

    bool keeps_steady(std::string &) const override { return true; }

  private:
    std::string content_;
};

// One that is a function of the text alone.
class Function : public Normalizer {
  public:
    using Apply = std::string (*)(std::string_view);

    explicit Function(Apply function) : function_(function) {}

    std::string apply(std::string_view text) const override { return function_(text); }

    bool keeps_start() const override { return function_ != without_accents; }

  private:
    Apply function_;
};

class Bert : public Normalizer {
  public:
    explicit Bert(bool cased) : cased_(cased) {}

    std::string apply(std::string_view text) const override {
        return cased_ ? clean_for_bert(text) : fold_for_bert(text);
    }

    bool keeps_start() const override { return false; }

    // Each is looked at alone; an ideograph gets blanks around it.
    bool keeps_steady(std::string &character) const override {
        character = apply(character);
        return !character.empty();
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
    const std::string &content = text_member(described, "content", where);
    if (pattern.find("String")) {
        allow_members(&pattern, {"String"}, where);
        const std::string &text = text_member(&pattern, "String", where);
        if (text.empty()) {
            unsupported(where + ": a Replace of nothing");
        }
        return std::make_unique<ReplaceText>(text, content);
    }
    allow_members(&pattern, {"Regex"}, where);
    if (text_member(&pattern, "Regex", where) != " {2,}") {
        unsupported(where + ": a Replace by a pattern other than \" {2,}\", of several blanks");
    }
    return std::make_unique<ReplaceBlanks>(content);
}

std::unique_ptr<Normalizer> make_prepend(const Json *described, const std::string &where) {
    allow_members(described, {"type", "prepend"}, where);
    return std::make_unique<Prepend>(text_member(described, "prepend", where));
}

// The function of a type that has no options; null for other types.
Function::Apply function_of(const std::string &type) {
    if (type == "Lowercase") {
        return lower_case;
    }
    if (type == "NFC") {
        return [](std::string_view text) { return normal_form(text, kNfc); };
    }
    if (type == "NFD") {
        return [](std::string_view text) { return normal_form(text, kNfd); };
    }
    if (type == "NFKC") {
        return [](std::string_view text) { return normal_form(text, kNfkc); };
    }
    if (type == "NFKD") {
        return [](std::string_view text) { return normal_form(text, kNfkd); };
    }
    return type == "StripAccents" ? without_accents : nullptr;
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
    const std::string type =
        known_type(described, "normalizer",
                   {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Precompiled",
                    "Prepend", "Replace", "Sequence", "Strip", "StripAccents"},
                   where);
    if (const Function::Apply function = function_of(type)) {
        allow_members(described, {"type"}, where);
        return std::make_unique<Function>(function);
    }
    if (type == "BertNormalizer") {
        return make_bert(described, where);
    }
    if (type == "Precompiled") {
        return make_precompiled(described, where);
    }
    if (type == "Prepend") {
        return make_prepend(described, where);
    }
    if (type == "Replace") {
        return make_replace(described, where);
    }
    return type == "Sequence" ? make_sequence(described, where) : make_strip(described, where);
}

} // namespace edge_rerank::tokenizer
