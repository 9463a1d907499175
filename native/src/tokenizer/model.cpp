#include "tokenizer/model.h"

#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/members.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordpiece.h"

namespace edge_rerank::tokenizer {

std::unique_ptr<Model> make_model(const TokenizerFile &file) {
    const std::string type =
        known_type(&file.model, "model", {"BPE", "Unigram", "WordPiece"}, file.path);
    if (type != "BPE" && file.merges.size()) {
        unsupported(file.path + ": \"merges\" of a model other than BPE");
    }
    if (type == "BPE") {
        return std::make_unique<Bpe>(file);
    }
    if (type == "Unigram") {
        return std::make_unique<Unigram>(file);
    }
    return std::make_unique<WordPiece>(file);
}

std::vector<int32_t> checked_ids(const TokenizerFile &file) {
    if (file.vocabulary_is_list) {
        unsupported(file.path + ": a vocabulary that is a list, for a model other than Unigram");
    }
    std::vector<bool> seen(file.numbers.size());
    std::vector<int32_t> ids;
    ids.reserve(file.numbers.size());
    for (const double number : file.numbers) {
        const bool fits = number >= 0 && number < double(seen.size());
        if (!fits || number != double(int32_t(number)) || seen[size_t(number)]) {
            unsupported(file.path + ": the vocabulary's ids are not 0, 1 and so on");
        }
        seen[size_t(number)] = true;
        ids.push_back(int32_t(number));
    }
    return ids;
}

} // namespace edge_rerank::tokenizer
