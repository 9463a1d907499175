/*
 * Ranks passages for a query with the library alone, in plain C99:
 *
 *   rank FOLDER "list files by size" "ls -S sorts by size." "rm removes files."
 *   rank --ids FOLDER "1 3021 9 2 517 44 2" "1 3021 9 2 88 2"
 *
 * Prints a line a passage, in the same order: the logit, to all its digits; more is better. With
 * --ids each argument after the folder is a pair already encoded, special tokens included, for
 * models with a tokenizer that the library does not know.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge_rerank.h"

struct pairs {
    size_t count;
    int32_t *ids;
    int64_t *offsets;        /* count + 1 of them */
    int32_t *first_segments; /* NULL where they are not known */
};

static int complain(const char *what, const char *reason) {
    fprintf(stderr, "rank: %s: %s\n", what, reason);
    return EXIT_FAILURE;
}

static int make_room(struct pairs *pairs, size_t count, size_t ids) {
    pairs->count = count;
    pairs->ids = malloc(ids * sizeof *pairs->ids);
    pairs->offsets = malloc((count + 1) * sizeof *pairs->offsets);
    return pairs->ids && pairs->offsets ? EXIT_SUCCESS : complain("making room", "out of memory");
}

/* Appends the ids of `text`; gives how many, or -1 where it is not numbers. */
static int64_t read_ids(const char *text, int32_t *ids) {
    int64_t count = 0;
    char *end;
    for (;; text = end) {
        errno = 0;
        const long value = strtol(text, &end, 10);
        if (end == text) {
            break;
        }
        if (errno || value < INT32_MIN || value > INT32_MAX) {
            return -1;
        }
        ids[count++] = (int32_t)value;
    }
    while (*text == ' ') {
        ++text;
    }
    return *text ? -1 : count;
}

static int read_pairs(char **texts, size_t count, struct pairs *pairs) {
    size_t room = 1; /* a text of n characters holds at most (n + 1) / 2 numbers */
    for (size_t i = 0; i < count; ++i) {
        room += strlen(texts[i]);
    }
    if (make_room(pairs, count, room) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    pairs->offsets[0] = 0;
    for (size_t i = 0; i < count; ++i) {
        const int64_t found = read_ids(texts[i], pairs->ids + pairs->offsets[i]);
        if (found < 0) {
            return complain(texts[i], "expected token ids, as numbers with blanks between");
        }
        pairs->offsets[i + 1] = pairs->offsets[i] + found;
    }
    return EXIT_SUCCESS;
}

static edge_rerank_tokenizer *open_tokenizer(const char *folder, int32_t max_length) {
    static const char name[] = "/tokenizer.json";
    edge_rerank_tokenizer *tokenizer = NULL;
    char *path = malloc(strlen(folder) + sizeof name);
    if (!path) {
        complain("opening the tokenizer", "out of memory");
        return NULL;
    }
    strcpy(path, folder);
    strcat(path, name);
    if (edge_rerank_tokenizer_open(path, max_length, &tokenizer) != EDGE_RERANK_OK) {
        complain("tokenizer", edge_rerank_last_error());
    }
    free(path);
    return tokenizer;
}

/* Pairs the first of the texts, the query, with each of the others. */
static int encode_texts(const edge_rerank_tokenizer *tokenizer, const char *prompt, char **texts,
                        size_t count, struct pairs *pairs) {
    edge_rerank_text *both = malloc((2 * count + 1) * sizeof *both);
    char *query = malloc(strlen(prompt) + strlen(texts[0]) + 1);
    pairs->first_segments = malloc((count + 1) * sizeof *pairs->first_segments);
    if (!both || !query || !pairs->first_segments) {
        free(query);
        free(both);
        return complain("encoding", "out of memory");
    }
    strcpy(query, prompt);
    strcat(query, texts[0]);
    for (size_t i = 0; i < count; ++i) {
        both[i].data = query;
        both[i].size = strlen(query);
        both[count + i].data = texts[i + 1];
        both[count + i].size = strlen(texts[i + 1]);
    }
    const edge_rerank_status status =
        edge_rerank_tokenizer_encode(tokenizer, both, both + count, count, pairs->ids,
                                     pairs->offsets, pairs->first_segments, NULL);
    free(query);
    free(both);
    return status == EDGE_RERANK_OK ? EXIT_SUCCESS : complain("encode", edge_rerank_last_error());
}

static int encode_pairs(const char *folder, const edge_rerank_info *info, char **texts,
                        size_t count, struct pairs *pairs) {
    const int32_t max_length = info->max_length;
    if (count == 0) {
        return complain("usage", "rank FOLDER QUERY PASSAGE ...");
    }
    edge_rerank_tokenizer *tokenizer = open_tokenizer(folder, max_length);
    int code = EXIT_FAILURE;
    if (tokenizer && make_room(pairs, count - 1, count * (size_t)max_length) == EXIT_SUCCESS) {
        code = encode_texts(tokenizer, info->prompt, texts, count - 1, pairs);
    }
    edge_rerank_tokenizer_close(tokenizer);
    return code;
}

static int score(edge_rerank_engine *engine, const struct pairs *pairs) {
    float *logits = malloc((pairs->count + 1) * sizeof *logits);
    if (!logits) {
        return complain("scoring", "out of memory");
    }
    const edge_rerank_status status = edge_rerank_score(
        engine, pairs->ids, pairs->offsets, pairs->first_segments, pairs->count, logits);
    for (size_t i = 0; status == EDGE_RERANK_OK && i < pairs->count; ++i) {
        printf("%.9g\n", logits[i]);
    }
    free(logits);
    return status == EDGE_RERANK_OK ? EXIT_SUCCESS : complain("score", edge_rerank_last_error());
}

static int run(edge_rerank_engine *engine, const char *folder, int as_ids, char **texts,
               size_t count) {
    struct pairs pairs = {0, NULL, NULL, NULL};
    edge_rerank_info info;
    info.size = sizeof info;
    if (edge_rerank_describe(engine, &info) != EDGE_RERANK_OK) {
        return complain("describe", edge_rerank_last_error());
    }
    if (as_ids && info.token_types > 0) {
        return complain("--ids", "says not where the documents begin, which this model asks for");
    }
    fprintf(stderr, "%s, kernel %s, %d threads\n", info.precision, info.kernel, (int)info.threads);
    int code = as_ids ? read_pairs(texts, count, &pairs)
                      : encode_pairs(folder, &info, texts, count, &pairs);
    if (code == EXIT_SUCCESS) {
        code = score(engine, &pairs);
    }
    free(pairs.first_segments);
    free(pairs.offsets);
    free(pairs.ids);
    return code;
}

int main(int argc, char **argv) {
    const int as_ids = argc > 1 && strcmp(argv[1], "--ids") == 0;
    char **arguments = argv + 1 + as_ids, **end = argv + argc;
    if (arguments >= end) {
        return complain("usage", "rank FOLDER QUERY PASSAGE ..., or rank --ids FOLDER \"ID ...\"");
    }
    if (edge_rerank_api_version() != EDGE_RERANK_API_VERSION) {
        return complain("the library", "is of another version than the header");
    }
    edge_rerank_engine *engine = NULL;
    /* NULL: as many threads as there are processors, the fastest kernel. */
    if (edge_rerank_open(arguments[0], NULL, &engine) != EDGE_RERANK_OK) {
        return complain("open", edge_rerank_last_error());
    }
    const int code =
        run(engine, arguments[0], as_ids, arguments + 1, (size_t)(end - arguments - 1));
    edge_rerank_close(engine);
    return code;
}
