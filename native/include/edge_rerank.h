/*
 * edge-rerank: runs a DeBERTa-v2 cross-encoder on a CPU, from an artifact's folder.
 *
 * An engine takes token ids and gives logits; a tokenizer makes the ids of pairs of texts.
 * A higher logit is a better match; 1 / (1 + exp(-logit)) is the usual score from 0 to 1, and
 * edge_rerank_info says what the model's own is, and what it has before each query.
 *
 * Every function may be called from any thread. Calls on one engine share it: each in turn, in
 * order of arrival, computes a piece of its pairs (about 512 tokens a thread) with all of the
 * engine's threads, and small calls that wait at the same time make up one piece. So a call waits
 * for one piece of each call before it. Engines are independent of one another. Nothing here
 * throws, aborts, prints, reads the network or changes global state, but for one thing: on a CPU
 * with matrix tiles (the kernel amx_int8), edge_rerank_open and edge_rerank_peak ask the system to
 * let the process use them, unless another kernel is named, which lasts as long as the process.
 * Handles are closed once, and not used afterwards or while another thread still uses them.
 *
 * For a pair, the logit is the same to the last bit whatever the kernel, the number of threads,
 * the other pairs of the call and the platform.
 */
#ifndef EDGE_RERANK_H
#define EDGE_RERANK_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(EDGE_RERANK_BUILD)
#define EDGE_RERANK_API __declspec(dllexport)
#elif defined(_WIN32)
#define EDGE_RERANK_API __declspec(dllimport)
#else
#define EDGE_RERANK_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface. It grows when something here changes meaning or goes away; functions
 * and members at the end of a struct may be added without it growing. */
#define EDGE_RERANK_API_VERSION 1

typedef struct edge_rerank_engine edge_rerank_engine;

typedef int32_t edge_rerank_status;
enum {
    EDGE_RERANK_OK = 0,
    EDGE_RERANK_INVALID_ARGUMENT = 1, /* a parameter or a token id is out of range */
    EDGE_RERANK_BAD_ARTIFACT = 2,     /* a file is missing, damaged or contradicts another */
    EDGE_RERANK_UNSUPPORTED = 3,      /* a sound model or a CPU that this build cannot run */
    EDGE_RERANK_OUT_OF_MEMORY = 4,
    EDGE_RERANK_NOT_FINITE = 5,    /* the model gave a logit that is not a finite number */
    EDGE_RERANK_INTERNAL = 6,      /* a fault of this library, or of the system */
    EDGE_RERANK_OTHER_PROCESS = 7, /* the process was forked from the one that opened the engine */
    EDGE_RERANK_CANCELLED = 8,     /* edge_rerank_cancel ended the call */
    EDGE_RERANK_TIMED_OUT = 9      /* the call was not done within its time */
};

typedef struct edge_rerank_options {
    uint32_t size;      /* sizeof(edge_rerank_options), so that later versions can add to it */
    int32_t threads;    /* 1 to 256; 0: as many as this process may run at once, by its affinity and
                           the CPU quotas of its cgroups. 1 starts none beside the caller's; others
                           fail with EDGE_RERANK_INTERNAL where the system refuses */
    int32_t max_length; /* most tokens of a pair; 0: the artifact's own, which is the limit */
    int32_t tokens_in_flight; /* tokens worked on at once, which sets the working memory; a call may
                                 have any number of them. 0: a default. A smaller number than one
                                 pair of max_length needs is raised to that. */
    const char *kernel;       /* name of a kernel; NULL: the environment variable
                                 EDGE_RERANK_KERNEL, read when it is first asked for, or else the
                                 fastest one for this CPU */
    int32_t map_weights;      /* 0: the tables of the embeddings are copied, and the files may be
                                 written over once the engine is open. 1: they are mapped: their
                                 pages are read when they are needed and shared by processes, but a
                                 file that is written to ends the engine's use with
                                 EDGE_RERANK_BAD_ARTIFACT, and one that is made shorter may end the
                                 process. Not there in the first release. */
} edge_rerank_options;

/* Where the time of the calls so far went; seconds, added up over all threads. What is measured
 * beyond these in later versions is at the end of edge_rerank_info, in which they lie. */
typedef struct edge_rerank_times {
    double embedding;     /* rows of the embedding table, and their norm */
    double products;      /* linear products, their biases included */
    double attention;     /* scores, softmax, weighted sums */
    double rest;          /* quantisation, norms, activation functions, head */
    double waiting;       /* threads waiting for one another */
    double multiply_adds; /* of the products; a count, not seconds */
} edge_rerank_times;

typedef struct edge_rerank_info {
    uint32_t size; /* in: sizeof(edge_rerank_info) */
    int32_t threads;
    int32_t max_length;
    int32_t tokens_in_flight;
    int32_t vocabulary;     /* ids run from 0 to vocabulary - 1 */
    int32_t token_types;    /* 0 for models without; otherwise first_segments is needed */
    uint64_t weights_bytes; /* memory of the weights as this kernel wants them, copies included */
    uint64_t buffers_bytes; /* working memory, allocated once */
    uint64_t mapped_bytes; /* size of the weights file if it is mapped, of which only used pages are
                              read; otherwise 0 */
    const char *kernel;    /* these two live as long as the library is loaded */
    const char *precision; /* "int8" or "fp32" */
    edge_rerank_times times;
    /* The rest was not there in the first release; these live as long as the engine. */
    const char *activation; /* what makes a logit the model's score: "sigmoid", "identity" (the
                               logit is the score) or "tanh" */
    const char *prompt;     /* what the model has before each query, in UTF-8: for the caller to put
                               there before texts are encoded. "" for most models */
} edge_rerank_info;

/* Version of the interface that the loaded library has; compare with EDGE_RERANK_API_VERSION. */
EDGE_RERANK_API uint32_t edge_rerank_api_version(void);

/* Version of the library, such as "0.2.0". */
EDGE_RERANK_API const char *edge_rerank_version(void);

/* What went wrong in this thread's last call that failed: one line of UTF-8, never NULL. It is
 * overwritten by the thread's next failure. */
EDGE_RERANK_API const char *edge_rerank_last_error(void);

/* Names of the kernels that this CPU can run, separated by commas, fastest first; the last one,
 * "scalar", runs everywhere. The system may still refuse "amx_int8" to a process, as where the
 * alternate signal stack of one of its threads is too small: the next kernel is then the fastest.
 */
EDGE_RERANK_API const char *edge_rerank_kernels(void);

/*
 * Opens an artifact. `folder` is UTF-8, on Windows too: of a path in wide characters it is what
 * WideCharToMultiByte(CP_UTF8, ...) gives. `options` may be NULL, for the defaults. On success
 * *engine is a handle to close with edge_rerank_close; on failure it is NULL. The files may be
 * replaced once it is open, unless options.map_weights says otherwise. The checksums in the
 * manifest are not compared here; everything else is checked before it is used.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_open(const char *folder,
                                                    const edge_rerank_options *options,
                                                    edge_rerank_engine **engine);

/*
 * Computes the logits of `count` pairs.
 *
 *   ids             the token ids of all pairs, one after the other, special tokens included
 *   offsets         count + 1 numbers that never fall, the first one 0: pair i has the ids from
 *                   offsets[i] up to, not including, offsets[i + 1]; 1 to max_length of them
 *   first_segments  how many tokens of each pair are of type 0, the others being of type 1; count
 *                   numbers. Only read for models with token types; may be NULL otherwise
 *   logits          room for count numbers; left as it was when the call fails
 *
 * All ids are checked before anything is computed. A count of 0 does nothing.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_score(edge_rerank_engine *engine, const int32_t *ids,
                                                     const int64_t *offsets,
                                                     const int32_t *first_segments, size_t count,
                                                     float *logits);

/* What may end a call before it is done. */
typedef struct edge_rerank_call_options {
    uint32_t size;            /* sizeof(edge_rerank_call_options) */
    int32_t timeout_ms;       /* milliseconds after which the call ends with EDGE_RERANK_TIMED_OUT,
                                 those that it waits for others included; 0: none */
    const int32_t *cancelled; /* a number that is 0 at first; once edge_rerank_cancel has set it,
                                 the call ends with EDGE_RERANK_CANCELLED. May be that of several
                                 calls. NULL: none */
} edge_rerank_call_options;

/*
 * The same as edge_rerank_score, but that it may end before it is done: either is looked at before
 * each piece, so that the call returns within the time of one. `options` may be NULL.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_score_with(
    edge_rerank_engine *engine, const edge_rerank_call_options *options, const int32_t *ids,
    const int64_t *offsets, const int32_t *first_segments, size_t count, float *logits);

/*
 * Ends the calls that were given this number, from any thread or from a signal handler: sets it to
 * 1, so that they see it. A call that begins afterwards ends at once; the number may be set to 0
 * again when none is left. NULL does nothing.
 */
EDGE_RERANK_API void edge_rerank_cancel(int32_t *cancelled);

/* Fills `info`, whose member `size` the caller has set, as far as that reaches. */
EDGE_RERANK_API edge_rerank_status edge_rerank_describe(edge_rerank_engine *engine,
                                                        edge_rerank_info *info);

/*
 * Measures what one core of this machine can do at most, for a tenth of a second each:
 * multiply-adds a second of `kernel` (NULL: the fastest one) in registers alone, on int8 and on
 * float32, and bytes a second read from memory. A pointer that is NULL leaves its figure out.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_peak(const char *kernel, double *int8_multiply_adds,
                                                    double *float32_multiply_adds,
                                                    double *bytes_read);

/* Frees everything; waits for the engine's threads to end. NULL does nothing, and in a process
 * forked from the one that opened the engine nothing is freed. */
EDGE_RERANK_API void edge_rerank_close(edge_rerank_engine *engine);

typedef struct edge_rerank_tokenizer edge_rerank_tokenizer;

/* A text in UTF-8; it need not end with a zero byte, and may hold some. */
typedef struct edge_rerank_text {
    const char *data; /* may be NULL when size is 0 */
    size_t size;      /* in bytes */
} edge_rerank_text;

typedef struct edge_rerank_tokenizer_info {
    uint32_t size; /* in: sizeof(edge_rerank_tokenizer_info) */
    int32_t max_length;
    int32_t special_tokens; /* of each pair */
    int32_t vocabulary;     /* words of the model, without those that are added to it */
    uint64_t memory_bytes;  /* of the vocabulary */
    const char *model; /* "unigram", "wordpiece" or "bpe"; lives as long as the library is loaded */
} edge_rerank_tokenizer_info;

/*
 * Opens a tokenizer.json of the kinds that DeBERTa, BERT, RoBERTa, XLM-RoBERTa and ModernBERT have.
 * `path` is the file's, in UTF-8; no pair will have more than `max_length` tokens. Gives the ids
 * that Hugging Face's tokenizers library gives, or else EDGE_RERANK_UNSUPPORTED: every component of
 * the file must be known to the last detail. Truncation and padding that the file asks for are left
 * out.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_tokenizer_open(const char *path, int32_t max_length,
                                                              edge_rerank_tokenizer **tokenizer);

/*
 * Encodes `count` pairs, ready for edge_rerank_score. May run in several threads at once.
 *
 *   queries         count texts; one with the same address and size as the one before it, as when
 *                   one query has many documents, is not encoded again
 *   documents       count texts
 *   ids             room for count * max_length numbers
 *   offsets         room for count + 1 numbers
 *   first_segments  room for count numbers, or NULL
 *   truncated       room for count numbers, or NULL: 1 for a pair that did not fit whole, of which
 *                   the longer text was cut first, or else 0
 *
 * No more of a text is read than the pair's ids depend on, so that a long document costs no more
 * than one that just does not fit; only where both texts of a pair are long is the shorter one read
 * whole. What is read is checked to be UTF-8; what a fault lies behind of is not looked at. When
 * the call fails, what it wrote has no meaning; a fault within the first 4096 + 8 * max_length
 * bytes of a text is found before anything is written.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_tokenizer_encode(
    const edge_rerank_tokenizer *tokenizer, const edge_rerank_text *queries,
    const edge_rerank_text *documents, size_t count, int32_t *ids, int64_t *offsets,
    int32_t *first_segments, uint8_t *truncated);

/*
 * The same, with two more arguments. The results are the same with any number of threads.
 *
 *   threads          1 to 256; up to so many run while there is enough to do, the caller's being
 * one documents_go_on  count numbers, or NULL: 1 for a document of which only the beginning is
 * given, or else 0. Where that is not enough to say what the pair's ids are, `truncated`, which
 * must not be NULL then, is 2, and the ids have no meaning: give more
 *
 * Not there in the first release.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_tokenizer_encode_on(
    const edge_rerank_tokenizer *tokenizer, int32_t threads, const edge_rerank_text *queries,
    const edge_rerank_text *documents, const uint8_t *documents_go_on, size_t count, int32_t *ids,
    int64_t *offsets, int32_t *first_segments, uint8_t *truncated);

/* Fills `info`, whose member `size` the caller has set. */
EDGE_RERANK_API edge_rerank_status edge_rerank_tokenizer_describe(
    const edge_rerank_tokenizer *tokenizer, edge_rerank_tokenizer_info *info);

/* Frees everything. NULL does nothing. */
EDGE_RERANK_API void edge_rerank_tokenizer_close(edge_rerank_tokenizer *tokenizer);

/*
 * Scores `count` texts for one query, all in UTF-8 and ended by a zero byte, with the artifact in
 * `folder`: opens an engine and a tokenizer, with the defaults of edge_rerank_open, encodes (with
 * the model's prompt before the query), computes, and closes both. For one query; whoever has more
 * of them keeps an engine open, since opening takes as long as some passages.
 *
 *   scores  room for count numbers, in the order of the texts: the logits, of which a higher one is
 *           a better match; left as it was when the call fails
 *
 * A count of 0 does nothing.
 */
EDGE_RERANK_API edge_rerank_status edge_rerank_rank(const char *folder, const char *query,
                                                    const char *const *texts, size_t count,
                                                    float *scores);

#ifdef __cplusplus
}
#endif

#endif
