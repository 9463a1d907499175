// A tokenizer.json as it is read: its parts, and its vocabulary without a value in memory for each.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "tokenizer/trie.h"

namespace edge_rerank::tokenizer {

struct TokenizerFile {
    std::string path;
    Json parts;                      // an object of all members but the model
    Json model;                      // an object of all of its members but the vocabulary
    bool vocabulary_is_list = false; // of words with scores, or else an object from words to ids
    Words words;
    std::vector<double> numbers; // a score or an id for each word
    Words merges;                // of a BPE: the two parts of each, one after the other

    // Raises Error: EDGE_RERANK_BAD_ARTIFACT when the file cannot be read or is damaged, and
    // EDGE_RERANK_UNSUPPORTED when it is of another kind.
    static TokenizerFile read(const std::string &path);
};

} // namespace edge_rerank::tokenizer
