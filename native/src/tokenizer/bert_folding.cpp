#include "tokenizer/bert_folding.h"

#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/bert_table.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr uint32_t kExpansion = 1u << 31; // the target is a place among the expansions
constexpr uint32_t kFirstSyllable = 0xAC00, kLastSyllable = 0xD7A3;
constexpr uint32_t kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7;
constexpr uint32_t kVowels = 21, kTrailings = 28;

class Folder {
  public:
    explicit Folder(size_t size) { result_.reserve(size); }

    void add(uint32_t code) {
        if (code >= kFirstSyllable && code <= kLastSyllable) {
            add_syllable(code - kFirstSyllable);
            return;
        }
        const FoldingRange *range = find_range(kFoldings, code);
        if (!range) {
            starter(code);
            return;
        }
        const auto place = uint32_t(range->value) + (code - range->first);
        switch (range->kind) {
            case Folding::gone: break;
            case Folding::apart: end_marks(); break;
            case Folding::space: starter(' '); break;
            case Folding::ideograph: ideograph(code); break;
            case Folding::ideographs: ideograph(kTargets[place]); break;
            case Folding::shift: starter(code + uint32_t(range->value)); break;
            case Folding::table: add_target(kTargets[place]); break;
            case Folding::mark: marks_.push_back({range->value, code}); break;
        }
    }

    void add_ascii(char lowered) {
        end_marks();
        result_ += lowered;
    }

    std::string take() {
        end_marks();
        return std::move(result_);
    }

  private:
    struct Mark {
        int32_t order;
        uint32_t code;
    };

    std::string result_;
    std::vector<Mark> marks_; // since the last character that is none

    void end_marks() {
        if (marks_.empty()) {
            return;
        }
        std::stable_sort(marks_.begin(), marks_.end(),
                         [](const Mark &a, const Mark &b) { return a.order < b.order; });
        for (const Mark &mark : marks_) {
            append_utf8(result_, mark.code);
        }
        marks_.clear();
    }

    void starter(uint32_t code) {
        end_marks();
        append_utf8(result_, code);
    }

    void ideograph(uint32_t code) {
        starter(' ');
        starter(code);
        starter(' ');
    }

    void add_target(uint32_t target) {
        if (!(target & kExpansion)) {
            starter(target);
            return;
        }
        for (const uint32_t *code = kExpansions + (target & ~kExpansion); *code; ++code) {
            const FoldingRange *range = find_range(kFoldings, *code);
            if (range && range->kind == Folding::mark) {
                marks_.push_back({range->value, *code});
            } else {
                starter(*code);
            }
        }
    }

    // A syllable of Hangul becomes the letters that it is made of.
    void add_syllable(uint32_t index) {
        starter(kLeading + index / (kVowels * kTrailings));
        starter(kVowel + index / kTrailings % kVowels);
        if (index % kTrailings) {
            starter(kTrailing + index % kTrailings);
        }
    }
};
} // namespace

std::string fold_for_bert(std::string_view text) {
    Folder folder(text.size() + text.size() / 8);
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        const char c = text[at];
        if (c >= 'A' && c <= 'Z') {
            folder.add_ascii(char(c - 'A' + 'a'));
        } else if (c >= ' ' && c < 0x7F) {
            folder.add_ascii(c);
        } else {
            folder.add(char_at(text, at));
        }
    }
    return folder.take();
}

std::string clean_for_bert(std::string_view text) {
    std::string result;
    result.reserve(text.size() + text.size() / 8);
    for (size_t at = 0; at < text.size(); at += char_size(text[at])) {
        const std::string_view whole = text.substr(at, char_size(text[at]));
        const bool plain = text[at] >= ' ' && text[at] < 0x7F;
        const FoldingRange *range = plain ? nullptr : find_range(kCleanings, char_at(text, at));
        if (!range) {
            result.append(whole);
        } else if (range->kind == Folding::space) {
            result += ' ';
        } else if (range->kind == Folding::ideograph) {
            result.append(" ").append(whole).append(" ");
        } // the others are gone
    }
    return result;
}

bool is_passed_by_bert(uint32_t code) {
    const FoldingRange *range = find_range(kFoldings, code);
    return range && (range->kind == Folding::gone || range->kind == Folding::apart ||
                     range->kind == Folding::mark);
}

bool is_bert_punctuation(uint32_t code) { return find_range(kPunctuation, code) != nullptr; }

} // namespace edge_rerank::tokenizer
