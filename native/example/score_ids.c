/*
 * Scores pairs that are encoded already, for models with a tokenizer that the library does not
 * know, in plain C99, with an engine that stays open as in a server:
 *
 *   score_ids FOLDER "1 3021 9 2 517 44 2" "1 3021 9 2 88 2"
 *
 * Each argument after the folder is a pair's token ids, special tokens included. Prints a line a
 * pair, in the same order: the logit, to all its digits; more is better.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge_rerank.h"

struct pairs {
    size_t count;
    int32_t *ids;
    int64_t *offsets; /* count + 1 of them */
};

static int complain(const char *what, const char *reason) {
    fprintf(stderr, "score_ids: %s: %s\n", what, reason);
    return EXIT_FAILURE;
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
    pairs->count = count;
    pairs->ids = malloc(room * sizeof *pairs->ids);
    pairs->offsets = malloc((count + 1) * sizeof *pairs->offsets);
    if (!pairs->ids || !pairs->offsets) {
        return complain("making room", "out of memory");
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

static int score(edge_rerank_engine *engine, const struct pairs *pairs) {
    float *logits = malloc((pairs->count + 1) * sizeof *logits);
    if (!logits) {
        return complain("scoring", "out of memory");
    }
    const edge_rerank_status status =
        edge_rerank_score(engine, pairs->ids, pairs->offsets, NULL, pairs->count, logits);
    for (size_t i = 0; status == EDGE_RERANK_OK && i < pairs->count; ++i) {
        printf("%.9g\n", logits[i]);
    }
    free(logits);
    return status == EDGE_RERANK_OK ? EXIT_SUCCESS : complain("score", edge_rerank_last_error());
}

static int run(edge_rerank_engine *engine, char **texts, size_t count) {
    struct pairs pairs = {0, NULL, NULL};
    edge_rerank_info info;
    info.size = sizeof info;
    if (edge_rerank_describe(engine, &info) != EDGE_RERANK_OK) {
        return complain("describe", edge_rerank_last_error());
    }
    if (info.token_types > 0) {
        return complain("ids", "say not where the documents begin, which this model asks for");
    }
    fprintf(stderr, "%s, kernel %s, %d threads\n", info.precision, info.kernel, (int)info.threads);
    int code = read_pairs(texts, count, &pairs);
    if (code == EXIT_SUCCESS) {
        code = score(engine, &pairs);
    }
    free(pairs.offsets);
    free(pairs.ids);
    return code;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return complain("usage", "score_ids FOLDER \"ID ...\"");
    }
    if (edge_rerank_api_version() != EDGE_RERANK_API_VERSION) {
        return complain("the library", "is of another version than the header");
    }
    edge_rerank_engine *engine = NULL;
    /* NULL: as many threads as may run, the fastest kernel. */
    if (edge_rerank_open(argv[1], NULL, &engine) != EDGE_RERANK_OK) {
        return complain("open", edge_rerank_last_error());
    }
    const int code = run(engine, argv + 2, (size_t)argc - 2);
    edge_rerank_close(engine);
    return code;
}
