#include "tokenizer/model.h"

#include "base/error.h"
#include "tokenizer/members.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordpiece.h"

namespace edge_rerank::tokenizer {

std::unique_ptr<Model> make_model(const TokenizerFile &file) {
    if (is_type(&file.model, "Unigram")) {
        return std::make_unique<Unigram>(file);
    }
    if (is_type(&file.model, "WordPiece")) {
        return std::make_unique<WordPiece>(file);
    }
    unsupported(file.path + ": the model " + type_of(&file.model) + " is not known");
}

} // namespace edge_rerank::tokenizer
