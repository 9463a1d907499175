// The special tokens around the two texts of a pair, and how the texts are cut to fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace edge_rerank::tokenizer {

struct EncodedPair {
    size_t size = 0;          // ids that were written
    size_t first_segment = 0; // how many of them, from the start, are of type 0
    uint8_t truncated = 0;    // whether a text did not fit whole
};

class PairTemplate {
  public:
    // Reads a TemplateProcessing, BertProcessing or RobertaProcessing, which may stand in a
    // Sequence with a ByteLevel. Raises Error with EDGE_RERANK_UNSUPPORTED for others, and for a
    // template other than special tokens, query, special tokens, document, special tokens, with
    // types that do not fall from 1 to 0.
    PairTemplate(const Json *described, const std::string &where);

    size_t specials() const { return before_.size() + between_.size() + after_.size(); }

    // Writes a pair of up to `most` ids, which leave room for a token of each text.
    EncodedPair join(const std::vector<int32_t> &query, const std::vector<int32_t> &document,
                     size_t most, int32_t *ids) const;

  private:
    std::vector<int32_t> before_, between_, after_;
    size_t first_specials_ = 0;                             // special tokens of type 0
    bool query_is_first_ = true, document_is_first_ = true; // whether theirs are of type 0
    bool has_query_ = false, has_document_ = false;
    int32_t type_ = 0; // of the part before

    void read(const Json *described, const std::string &where);
    void read_sequence(const Json &described, const std::string &where);
    void read_template(const Json &described, const std::string &where);
    void read_bert(const Json &described, bool roberta, const std::string &where);
    void add(const Json &piece, const Json &tokens, const std::string &where);
    void add_special(const std::string &name, bool first, const Json &tokens,
                     const std::string &where);
    bool is_first(const Json &piece, const std::string &where);
};

} // namespace edge_rerank::tokenizer
