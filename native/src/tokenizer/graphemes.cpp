#include "tokenizer/graphemes.h"

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "tokenizer/graphemes_table.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr uint32_t kFirstSyllable = 0xAC00, kLastSyllable = 0xD7A3, kTrailing = 28;

// What was seen of a cluster so far, as far as the rules for its next character need it.
class Cluster {
  public:
    explicit Cluster(Grapheme first) : last_(first) { note(first); }

    bool joins(Grapheme next) const {
        if (last_ == Grapheme::control || next == Grapheme::control) {
            return false;
        }
        return extends(next) || last_ == Grapheme::prepend || syllable(next) ||
               (conjunct_ == Conjunct::linked && next == Grapheme::consonant) ||
               (pictograph_ == Pictograph::joined && next == Grapheme::pictograph);
    }

    void add(Grapheme next) {
        note(next);
        last_ = next;
    }

  private:
    enum class Conjunct { none, consonant, linked };
    enum class Pictograph { none, seen, joined };

    Grapheme last_;
    Conjunct conjunct_ = Conjunct::none;
    Pictograph pictograph_ = Pictograph::none;

    static bool extends(Grapheme kind) {
        return kind == Grapheme::extend || kind == Grapheme::extend_apart ||
               kind == Grapheme::linker || kind == Grapheme::spacing || kind == Grapheme::joiner;
    }

    bool syllable(Grapheme next) const {
        switch (last_) {
            case Grapheme::l:
                return next == Grapheme::l || next == Grapheme::v || next == Grapheme::lv ||
                       next == Grapheme::lvt;
            case Grapheme::v:
            case Grapheme::lv: return next == Grapheme::v || next == Grapheme::t;
            case Grapheme::t:
            case Grapheme::lvt: return next == Grapheme::t;
            default: return false;
        }
    }

    void note(Grapheme next) {
        const bool inside = next == Grapheme::extend || next == Grapheme::linker;
        if (next == Grapheme::consonant) {
            conjunct_ = Conjunct::consonant;
        } else if (next == Grapheme::linker && conjunct_ != Conjunct::none) {
            conjunct_ = Conjunct::linked;
        } else if (!inside && next != Grapheme::joiner) {
            conjunct_ = Conjunct::none;
        }
        if (next == Grapheme::pictograph) {
            pictograph_ = Pictograph::seen;
        } else if (next == Grapheme::joiner && pictograph_ == Pictograph::seen) {
            pictograph_ = Pictograph::joined;
        } else if (!(inside || next == Grapheme::extend_apart) ||
                   pictograph_ == Pictograph::joined) {
            pictograph_ = Pictograph::none;
        }
    }
};
} // namespace

Grapheme grapheme_of(uint32_t code) {
    if (code >= kFirstSyllable && code <= kLastSyllable) {
        return (code - kFirstSyllable) % kTrailing ? Grapheme::lvt : Grapheme::lv;
    }
    const auto after = std::upper_bound(
        std::begin(kGraphemes), std::end(kGraphemes), code,
        [](uint32_t wanted, const GraphemeRange &range) { return wanted < range.first; });
    if (after == std::begin(kGraphemes) || code > after[-1].last) {
        return Grapheme::other;
    }
    return after[-1].kind;
}

size_t cluster_end(std::string_view text, size_t start) {
    size_t at = start + char_size(text[start]);
    if (text[start] == '\r') {
        return at < text.size() && text[at] == '\n' ? at + 1 : at;
    }
    Cluster cluster(grapheme_of(char_at(text, start)));
    while (at < text.size()) {
        const Grapheme next = grapheme_of(char_at(text, at));
        if (!cluster.joins(next)) {
            break;
        }
        cluster.add(next);
        at += char_size(text[at]);
    }
    return at;
}

} // namespace edge_rerank::tokenizer
