/*
 * A program built with the header of the interface's first version: first_caller FOLDER QUERY TEXT
 * prints the threads that it asked for and the logit, to all its digits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge_rerank_first.h"

static void check(edge_rerank_status status) {
    if (status != EDGE_RERANK_OK) {
        fprintf(stderr, "%s\n", edge_rerank_last_error());
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    static char path[4096];
    static struct {
        edge_rerank_info info;
        char after[64]; /* which is the program's, and not to be written to */
    } told;
    static edge_rerank_options options;
    edge_rerank_tokenizer_info tokenizer_info;
    edge_rerank_engine *engine;
    edge_rerank_tokenizer *tokenizer;
    edge_rerank_text query = {NULL, 0}, text = {NULL, 0};
    int64_t offsets[2];
    int32_t *ids, first;
    float logit;
    size_t i;
    if (argc != 4 || edge_rerank_api_version() != EDGE_RERANK_API_VERSION) {
        return EXIT_FAILURE;
    }
    options.size = sizeof options;
    options.threads = 2;
    check(edge_rerank_open(argv[1], &options, &engine));
    memset(&told, 0x5A, sizeof told);
    told.info.size = sizeof told.info;
    check(edge_rerank_describe(engine, &told.info));
    for (i = 0; i < sizeof told.after; ++i) {
        if (told.after[i] != 0x5A) {
            return EXIT_FAILURE;
        }
    }
    snprintf(path, sizeof path, "%s/tokenizer.json", argv[1]);
    check(edge_rerank_tokenizer_open(path, told.info.max_length, &tokenizer));
    tokenizer_info.size = sizeof tokenizer_info;
    check(edge_rerank_tokenizer_describe(tokenizer, &tokenizer_info));
    query.data = argv[2], query.size = strlen(argv[2]);
    text.data = argv[3], text.size = strlen(argv[3]);
    ids = malloc((size_t)tokenizer_info.max_length * sizeof *ids);
    check(edge_rerank_tokenizer_encode(tokenizer, &query, &text, 1, ids, offsets, &first, NULL));
    check(edge_rerank_score(engine, ids, offsets, &first, 1, &logit));
    printf("%d %.9g\n", (int)told.info.threads, logit);
    free(ids);
    edge_rerank_tokenizer_close(tokenizer);
    edge_rerank_close(engine);
    return EXIT_SUCCESS;
}
