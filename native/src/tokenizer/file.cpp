#include "tokenizer/file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_cursor.h"
#include "base/file_bytes.h"
#include "base/utf8.h"
#include "tokenizer/number.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr size_t kMostWords = 1 << 22, kMostBytes = 1 << 28;
// A part is parsed into values of a hundred bytes each; the largest is a charsmap's text.
constexpr size_t kLargestPart = 4 << 20, kLargestModelPart = 4096;
constexpr size_t kWordsBetweenForgetting = 8192;

class Reader {
  public:
    explicit Reader(const std::string &path)
        : file_(path, Access::copied),
          cursor_({reinterpret_cast<const char *>(file_.data()), file_.size()}, path) {
        file_.fetch(file_.data(), file_.size());
        file_.done();
        result_.path = path;
    }

    TokenizerFile read() {
        std::string parts = "{";
        cursor_.expect('{', "expected {");
        do {
            const size_t start = name_start();
            if (cursor_.name() == "model") {
                once(has_model_, "model");
                model();
            } else {
                part(parts, start, kLargestPart);
            }
        } while (cursor_.take(','));
        cursor_.expect('}', "expected , or }");
        cursor_.skip_space();
        if (!cursor_.at_end()) {
            cursor_.fail("text behind its end");
        }
        if (!has_model_ || !has_vocabulary_) {
            unsupported(result_.path + ": has no vocabulary");
        }
        if (!is_utf8(parts) || !is_utf8(result_.words.bytes()) ||
            !is_utf8(result_.merges.bytes())) {
            bad_artifact(result_.path + ": is not UTF-8");
        }
        result_.parts = Json::parse(parts + "}", result_.path);
        return std::move(result_);
    }

  private:
    FileBytes file_;
    TokenizerFile result_;
    JsonCursor cursor_;
    bool has_model_ = false, has_vocabulary_ = false, has_merges_ = false;
    size_t forgotten_ = 0;

    size_t name_start() {
        cursor_.skip_space();
        return cursor_.at();
    }

    void once(bool &seen, const char *name) {
        if (seen) {
            bad_artifact(result_.path + ": \"" + name + "\" is there twice");
        }
        seen = true;
    }

    // Copies the member that begins at `start`, whose value comes next, to the members of `parts`.
    void part(std::string &parts, size_t start, size_t most) {
        cursor_.skip_value();
        const std::string_view member = cursor_.between(start, cursor_.at());
        if (member.size() > most) {
            unsupported(result_.path + ": " + std::string(member.substr(0, 32)) +
                        "... is larger than any known");
        }
        parts.append(parts.size() > 1 ? "," : "").append(member);
    }

    void model() {
        std::string parts = "{";
        cursor_.expect('{', "expected the model");
        do {
            const size_t start = name_start();
            const std::string name = cursor_.name();
            if (name == "vocab") {
                once(has_vocabulary_, "vocab");
                vocabulary();
            } else if (name == "merges") {
                once(has_merges_, "merges");
                merges();
            } else {
                part(parts, start, kLargestModelPart);
            }
        } while (cursor_.take(','));
        cursor_.expect('}', "expected , or }");
        if (!is_utf8(parts)) {
            bad_artifact(result_.path + ": is not UTF-8");
        }
        result_.model = Json::parse(parts + "}", result_.path);
    }

    void vocabulary() {
        result_.vocabulary_is_list = cursor_.take('[');
        if (!result_.vocabulary_is_list) {
            cursor_.expect('{', "expected a vocabulary");
        }
        const char end = result_.vocabulary_is_list ? ']' : '}';
        if (cursor_.take(end)) {
            return;
        }
        do {
            entry();
            if (result_.words.size() % kWordsBetweenForgetting == 0) {
                forget();
            }
        } while (cursor_.take(','));
        cursor_.expect(end, "expected , or the end of the vocabulary");
        forget();
    }

    // Reads ["word", number], or "word": number.
    void entry() {
        if (result_.vocabulary_is_list) {
            cursor_.expect('[', "expected [");
        }
        cursor_.skip_space();
        if (cursor_.peek() != '"') {
            cursor_.fail("expected a word");
        }
        cursor_.text(result_.words.open());
        result_.words.end_word();
        cursor_.expect(result_.vocabulary_is_list ? ',' : ':', "expected a word's number");
        cursor_.skip_space();
        const size_t start = cursor_.at();
        cursor_.number();
        result_.numbers.push_back(library_number(cursor_.between(start, cursor_.at())));
        if (result_.vocabulary_is_list) {
            cursor_.expect(']', "expected ]");
        }
        if (result_.words.size() > kMostWords || result_.words.bytes().size() > kMostBytes) {
            unsupported(result_.path + ": a vocabulary larger than any known");
        }
    }

    // Reads a list of "left right", or of ["left", "right"].
    void merges() {
        cursor_.expect('[', "expected a list of merges");
        if (cursor_.take(']')) {
            return;
        }
        do {
            if (cursor_.take('[')) {
                word_of_merge();
                cursor_.expect(',', "expected a merge's second part");
                word_of_merge();
                cursor_.expect(']', "expected ]");
            } else {
                merge_in_one();
            }
            if (result_.merges.size() > 2 * kMostWords ||
                result_.merges.bytes().size() > kMostBytes) {
                unsupported(result_.path + ": more merges than any known");
            }
        } while (cursor_.take(','));
        cursor_.expect(']', "expected , or the end of the merges");
        forget();
    }

    void word_of_merge() {
        cursor_.skip_space();
        if (cursor_.peek() != '"') {
            cursor_.fail("expected a merge");
        }
        cursor_.text(result_.merges.open());
        result_.merges.end_word();
    }

    // Lines that say a version are passed over, as the library does.
    void merge_in_one() {
        cursor_.skip_space();
        if (cursor_.peek() != '"') {
            cursor_.fail("expected a merge");
        }
        std::string both;
        cursor_.text(both);
        if (both.compare(0, 8, "#version") == 0) {
            return;
        }
        const size_t blank = both.find(' ');
        if (blank == std::string::npos || both.find(' ', blank + 1) != std::string::npos) {
            unsupported(result_.path + ": the merge \"" + both + "\" is not of two parts");
        }
        result_.merges.open().append(both, 0, blank);
        result_.merges.end_word();
        result_.merges.open().append(both, blank + 1);
        result_.merges.end_word();
    }

    // What was read need not stay in memory while the rest is.
    void forget() {
        file_.forget(file_.data() + forgotten_, cursor_.at() - forgotten_);
        forgotten_ = cursor_.at();
    }
};
} // namespace

TokenizerFile TokenizerFile::read(const std::string &path) { return Reader(path).read(); }

} // namespace edge_rerank::tokenizer
