/*
 * Ranks passages for a query with the library alone, in plain C99:
 *
 *   rank FOLDER "list files by size" "ls -S sorts by size." "rm removes files."
 *
 * Prints a line a passage, in the same order: the score, a logit, to all its digits; more is
 * better.
 *
 * Paths and texts are UTF-8. On Windows the arguments of main() are not: take those of wmain(), and
 * make UTF-8 of each with WideCharToMultiByte(CP_UTF8, ...).
 */
#include <stdio.h>
#include <stdlib.h>

#include "edge_rerank.h"

static int fail(const char *reason) {
    fprintf(stderr, "rank: %s\n", reason);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        return fail("usage: rank FOLDER QUERY PASSAGE ...");
    }
    if (edge_rerank_api_version() != EDGE_RERANK_API_VERSION) {
        return fail("the library is of another version than the header");
    }
    const char *const *passages = (const char *const *)(argv + 3);
    const size_t count = (size_t)argc - 3;
    float *scores = malloc(count * sizeof *scores);
    if (!scores) {
        return fail("out of memory");
    }
    const edge_rerank_status status = edge_rerank_rank(argv[1], argv[2], passages, count, scores);
    for (size_t i = 0; status == EDGE_RERANK_OK && i < count; ++i) {
        printf("%.9g\n", scores[i]);
    }
    free(scores);
    return status == EDGE_RERANK_OK ? EXIT_SUCCESS : fail(edge_rerank_last_error());
}
