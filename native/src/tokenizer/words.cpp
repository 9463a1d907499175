#include "tokenizer/words.h"

#include <cstdint>
#include <iterator>

#include "base/utf8.h"
#include "tokenizer/bert_folding.h"
#include "tokenizer/byte_chars.h"
#include "tokenizer/gpt2_pattern.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr std::string_view kBlank = "\xE2\x96\x81"; // U+2581

// U+2581 stands for a blank in texts, too, but only Metaspace asks.
bool is_blank(std::string_view text, size_t at) {
    return text[at] == ' ' || (text[at] == kBlank[0] && text.substr(at, kBlank.size()) == kBlank);
}

bool needs_blank(std::string_view text, Blanks blanks) {
    return !text.empty() && text[0] != ' ' && !(blanks == Blanks::metaspace && is_blank(text, 0));
}

enum class Kind : uint8_t { part, space, punctuation };

Kind searched(uint32_t code) {
    return is_space(code)              ? Kind::space
           : is_bert_punctuation(code) ? Kind::punctuation
                                       : Kind::part;
}

constexpr uint32_t kFirstIdeograph = 0x3400, kLastIdeograph = 0x9FFF;

// Most characters of most texts are Latin or ideographs, and are not searched for.
struct Kinds {
    Kind of[0x250];

    Kinds() {
        for (uint32_t code = 0; code < std::size(of); ++code) {
            of[code] = searched(code);
        }
    }
    Kind at(std::string_view text, size_t place) const {
        const uint32_t code = char_at(text, place);
        if (code < std::size(of)) {
            return of[code];
        }
        const bool ideograph = code >= kFirstIdeograph && code <= kLastIdeograph;
        return ideograph ? Kind::part : searched(code);
    }
};

// Where the word ends that begins at `start` with a character that is no white space.
size_t bert_word_end(std::string_view text, size_t start) {
    static const Kinds kinds;
    size_t at = start + char_size(text[start]);
    if (kinds.at(text, start) == Kind::punctuation) {
        return at;
    }
    while (at < text.size() && kinds.at(text, at) == Kind::part) {
        at += char_size(text[at]);
    }
    return at;
}

// White space is ASCII, or begins with one of four bytes.
bool is_space_at(std::string_view text, size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool may_be = byte <= ' ' || byte == 0xC2 || (byte >= 0xE1 && byte <= 0xE3);
    return may_be && is_space(char_at(text, at));
}

size_t space_start(std::string_view text, size_t at) {
    while (at < text.size() && !is_space_at(text, at)) {
        at += char_size(text[at]);
    }
    return at;
}

size_t space_end(std::string_view text, size_t at) {
    while (at < text.size() && is_space_at(text, at)) {
        at += char_size(text[at]);
    }
    return at;
}
} // namespace

WordReader::WordReader(const PreTokenizer &how, std::string_view text, bool first)
    : how_(how), text_(text), first_(first) {
    if (how.prefix == Prefix::text && needs_blank(text, how.blanks)) {
        prefixed_.reserve(text.size() + 1);
        prefixed_.append(" ").append(text);
        text_ = prefixed_;
    }
}

bool WordReader::next() {
    if (part_at_ == part_.size() && !next_part()) {
        return false;
    }
    if (how_.blanks == Blanks::metaspace) {
        next_blank_word();
        return true;
    }
    part_at_ = part_.size();
    if (how_.blanks == Blanks::bytes) {
        write_bytes();
    } else {
        word_ = part_;
    }
    return true;
}

bool WordReader::next_part() {
    if (how_.cut == Cut::spaces || how_.cut == Cut::punctuation) {
        at_ = space_end(text_, at_);
    }
    if (at_ == text_.size()) {
        return false;
    }
    const size_t end = part_end();
    part_ = text_.substr(at_, end - at_);
    part_at_ = 0;
    const bool wanted = how_.prefix == Prefix::parts || (how_.prefix == Prefix::first && first_);
    part_prefix_ = wanted && needs_blank(part_, how_.blanks);
    at_ = end;
    return true;
}

size_t WordReader::part_end() const {
    switch (how_.cut) {
        case Cut::spaces: return space_start(text_, at_);
        case Cut::punctuation: return bert_word_end(text_, at_);
        case Cut::gpt2: return gpt2_word_end(text_, at_);
        case Cut::nowhere: break;
    }
    return text_.size();
}

// A word begins at each blank, or else the part is one word.
void WordReader::next_blank_word() {
    written_.clear();
    if (part_prefix_ || is_blank(part_, part_at_)) {
        written_ = kBlank;
        part_at_ += part_prefix_ ? 0 : char_size(part_[part_at_]);
        part_prefix_ = false;
    }
    while (true) {
        const size_t start = part_at_;
        size_t end = start;
        while (end < part_.size() && !is_blank(part_, end)) {
            ++end;
        }
        part_at_ = end;
        written_.append(part_.substr(start, part_at_ - start));
        if (part_at_ == part_.size() || how_.splits) {
            break;
        }
        written_.append(kBlank);
        part_at_ += char_size(part_[part_at_]);
    }
    word_ = written_;
}

void WordReader::write_bytes() {
    written_.clear();
    if (part_prefix_) {
        written_.append(byte_char(' '));
    }
    for (const char byte : part_) {
        written_.append(byte_char(byte));
    }
    word_ = written_;
}

} // namespace edge_rerank::tokenizer
