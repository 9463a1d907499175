#include "tokenizer/pre_tokenizer.h"

#include "base/error.h"
#include "tokenizer/gpt2_pattern.h"
#include "tokenizer/members.h"

namespace edge_rerank::tokenizer {

namespace {
constexpr std::string_view kBlank = "\xE2\x96\x81"; // U+2581

// Reads steps one after the other: at most one that cuts, and one that writes blanks at the end.
class Steps {
  public:
    explicit Steps(const std::string &where) : where_(where) {}

    void add(const Json &step) {
        const std::string type = known_type(
            &step, "pre-tokenizer",
            {"BertPreTokenizer", "ByteLevel", "Metaspace", "Sequence", "Split", "WhitespaceSplit"},
            where_);
        if (result_.blanks != Blanks::plain) {
            unsupported(where_ + ": the pre-tokenizer " + type + " after ByteLevel or Metaspace");
        }
        if (type == "ByteLevel") {
            byte_level(step);
        } else if (type == "Metaspace") {
            metaspace(step);
        } else if (type == "Sequence") {
            sequence(step);
        } else {
            cut(step, type);
        }
    }

    PreTokenizer take() const { return result_; }

  private:
    const std::string &where_;
    PreTokenizer result_;

    void sequence(const Json &step) {
        allow_members(&step, {"type", "pretokenizers"}, where_);
        for (const Json &each : member(&step, "pretokenizers", Json::Kind::list, where_).list()) {
            add(each);
        }
    }

    void cut(const Json &step, const std::string &type) {
        if (result_.cut != Cut::nowhere) {
            unsupported(where_ + ": the pre-tokenizer " + type + " after another that cuts");
        }
        if (type == "Split") {
            split(step);
            return;
        }
        allow_members(&step, {"type"}, where_);
        result_.cut = type == "BertPreTokenizer" ? Cut::punctuation : Cut::spaces;
    }

    // The pattern leaves nothing out, so what it cuts off is the same as what is between.
    void split(const Json &step) {
        allow_members(&step, {"type", "pattern", "behavior", "invert"}, where_);
        const Json &pattern = member(&step, "pattern", Json::Kind::object, where_);
        allow_members(&pattern, {"Regex"}, where_);
        if (text_member(&pattern, "Regex", where_) != kGpt2Pattern) {
            unsupported(where_ + ": Split by a pattern that is not known; known is GPT-2's");
        }
        const bool inverted = bool_member(&step, "invert", where_);
        const std::string &behavior = text_member(&step, "behavior", where_);
        if (behavior != (inverted ? "Removed" : "Isolated")) {
            unsupported(where_ + ": Split that does not keep what the pattern matches");
        }
        result_.cut = Cut::gpt2;
    }

    void byte_level(const Json &step) {
        allow_members(&step, {"type", "add_prefix_space", "trim_offsets", "use_regex"}, where_);
        bool_member(&step, "trim_offsets", where_);
        const bool cuts = optional_bool(&step, "use_regex", true, where_);
        if (cuts && result_.cut != Cut::nowhere) {
            unsupported(where_ + ": ByteLevel with use_regex after a pre-tokenizer that cuts");
        }
        result_.cut = cuts ? Cut::gpt2 : result_.cut;
        result_.blanks = Blanks::bytes;
        if (bool_member(&step, "add_prefix_space", where_)) {
            result_.prefix = cuts ? Prefix::text : Prefix::parts;
        }
    }

    // Older files say add_prefix_space, which may not contradict prepend_scheme.
    void metaspace(const Json &step) {
        allow_members(
            &step,
            {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"},
            where_);
        if (text_member(&step, "replacement", where_) != kBlank) {
            unsupported(where_ + ": a Metaspace whose replacement is not U+2581");
        }
        const std::string scheme = optional_text(&step, "prepend_scheme", "always", where_);
        const bool never = scheme == "never";
        if ((scheme != "always" && scheme != "first" && !never) ||
            (!never && !optional_bool(&step, "add_prefix_space", true, where_))) {
            unsupported(where_ + ": a Metaspace whose prepend_scheme is not known, or contradicts "
                                 "add_prefix_space; known are always, first and never");
        }
        if (scheme == "first" && result_.cut != Cut::nowhere) {
            unsupported(where_ + ": a Metaspace with prepend_scheme first after one that cuts");
        }
        result_.blanks = Blanks::metaspace;
        result_.splits = optional_bool(&step, "split", true, where_);
        result_.prefix = never               ? Prefix::nothing
                         : scheme == "first" ? Prefix::first
                                             : Prefix::parts;
    }
};
} // namespace

PreTokenizer PreTokenizer::read(const Json *described, const std::string &where) {
    Steps steps(where);
    if (described && described->kind() != Json::Kind::null) {
        steps.add(*described);
    }
    return steps.take();
}

} // namespace edge_rerank::tokenizer
