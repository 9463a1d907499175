#include "tokenizer/forms.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/forms_table.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr uint32_t kFirstSyllable = 0xAC00, kLastSyllable = 0xD7A3;
constexpr uint32_t kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7; // none of the last
constexpr uint32_t kLeadings = 19, kVowels = 21, kTrailings = 28;
constexpr uint32_t kFirstMark = 0x300;
constexpr uint32_t kCapitalIWithDot = 0x130; // the one whose lower case is two characters

uint8_t order_of(uint32_t code) {
    if (code < kFirstMark) {
        return 0;
    }
    const MarkRange *range = find_range(kMarks, code);
    return range ? range->order : 0;
}

// What NFC makes of two characters; 0 when they stay two.
uint32_t composed(uint32_t first, uint32_t second) {
    if (first - kLeading < kLeadings && second - kVowel < kVowels) {
        return kFirstSyllable + ((first - kLeading) * kVowels + (second - kVowel)) * kTrailings;
    }
    if (first >= kFirstSyllable && first <= kLastSyllable &&
        (first - kFirstSyllable) % kTrailings == 0 && second > kTrailing &&
        second - kTrailing < kTrailings) {
        return first + (second - kTrailing);
    }
    const auto found = std::lower_bound(
        std::begin(kCompositions), std::end(kCompositions), std::make_pair(first, second),
        [](const Composition &each, const auto &wanted) {
            return std::tie(each.first, each.second) < std::tie(wanted.first, wanted.second);
        });
    const bool fits =
        found != std::end(kCompositions) && found->first == first && found->second == second;
    return fits ? found->whole : 0;
}

class Former {
  public:
    Former(Form form, size_t size) : form_(form) { result_.reserve(size + size / 8); }

    void add(uint32_t code) {
        if (code < 0x80) {
            place(code, 0);
        } else if (code >= kFirstSyllable && code <= kLastSyllable) {
            add_syllable(code - kFirstSyllable);
        } else if (const Decomposition *range = decomposition(code)) {
            add_parts(code, range->value);
        } else {
            place(code, order_of(code));
        }
    }

    std::string take() {
        end_group();
        return std::move(result_);
    }

  private:
    struct Placed {
        uint32_t code;
        uint8_t order;
    };

    Form form_;
    std::string result_;
    // A character of order 0 and the marks behind it, or marks alone at a text's beginning.
    std::vector<Placed> group_;
    bool sorted_ = true;

    const Decomposition *decomposition(uint32_t code) const {
        const Decomposition *range = form_.compatible ? find_range(kCompatible, code) : nullptr;
        return range ? range : find_range(kCanonical, code);
    }

    void add_parts(uint32_t code, int32_t value) {
        if (value < kSeveral) {
            const uint32_t target = code + uint32_t(value);
            place(target, order_of(target));
            return;
        }
        for (const uint32_t *part = kParts + (value - kSeveral); *part; ++part) {
            place(*part, order_of(*part));
        }
    }

    void add_syllable(uint32_t index) {
        place(kLeading + index / (kVowels * kTrailings), 0);
        place(kVowel + index / kTrailings % kVowels, 0);
        if (index % kTrailings) {
            place(kTrailing + index % kTrailings, 0);
        }
    }

    void place(uint32_t code, uint8_t order) {
        if (order == 0) {
            start_group(code);
            return;
        }
        sorted_ = sorted_ && (group_.empty() || group_.back().order <= order);
        group_.push_back({code, order});
    }

    // A character of order 0 may compose with the one before it, if nothing stays between.
    void start_group(uint32_t code) {
        compose_group();
        if (form_.composed && group_.size() == 1 && group_[0].order == 0) {
            const uint32_t whole = composed(group_[0].code, code);
            if (whole) {
                group_[0].code = whole;
                return;
            }
        }
        write_group();
        group_.push_back({code, 0});
    }

    void end_group() {
        compose_group();
        write_group();
    }

    void compose_group() {
        if (!sorted_) {
            std::stable_sort(group_.begin(), group_.end(),
                             [](const Placed &a, const Placed &b) { return a.order < b.order; });
            sorted_ = true;
        }
        if (!form_.composed || group_.size() < 2 || group_[0].order != 0) {
            return;
        }
        size_t kept = 1;
        uint8_t last = 0; // the order of the mark that stays before: one of the same order blocks
        for (size_t i = 1; i < group_.size(); ++i) {
            const Placed mark = group_[i];
            const uint32_t whole = last < mark.order ? composed(group_[0].code, mark.code) : 0;
            if (whole) {
                group_[0].code = whole;
            } else {
                last = mark.order;
                group_[kept++] = mark;
            }
        }
        group_.resize(kept);
    }

    void write_group() {
        for (const Placed &each : group_) {
            append_utf8(result_, each.code);
        }
        group_.clear();
    }
};

bool is_ascii(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return c & 0x80; });
}

bool is_second(uint32_t code) {
    const bool jamo = (code >= kVowel && code < kVowel + kVowels) ||
                      (code > kTrailing && code < kTrailing + kTrailings);
    return jamo || std::any_of(std::begin(kCompositions), std::end(kCompositions),
                               [code](const Composition &each) { return each.second == code; });
}
} // namespace

bool is_in_forms(uint32_t code) {
    return order_of(code) || find_range(kCanonical, code) || find_range(kCompatible, code) ||
           is_second(code);
}

std::string normal_form(std::string_view text, Form form) {
    if (is_ascii(text)) {
        return std::string(text);
    }
    Former former(form, text.size());
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        former.add(char_at(text, at));
    }
    return former.take();
}

std::string lower_case(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        const uint32_t code = char_at(text, at);
        if (code < 0x80) {
            result += char(code >= 'A' && code <= 'Z' ? code - 'A' + 'a' : code);
        } else if (code == kCapitalIWithDot) {
            result += "i\xCC\x87";
        } else {
            const LowerRange *range = find_range(kLower, code);
            const bool within = range && (code - range->first) % range->step == 0;
            append_utf8(result, within ? code + uint32_t(range->shift) : code);
        }
    }
    return result;
}

std::string without_accents(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        if (!find_range(kAccents, char_at(text, at))) {
            result.append(text.substr(at, char_size(text[at])));
        }
    }
    return result;
}

} // namespace edge_rerank::tokenizer
