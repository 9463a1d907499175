// edge-rerank's C library in Node and Electron. The work is done on threads of the library and of
// libuv: the event loop goes on meanwhile, and a call can be cancelled.
"use strict";

const path = require("node:path");
const koffi = require("koffi");

const API_VERSION = 1;
const OK = 0;
const CANCELLED = 8;
const TIMED_OUT = 9;

koffi.struct("edge_rerank_options", {
  size: "uint32_t",
  threads: "int32_t",
  max_length: "int32_t",
  tokens_in_flight: "int32_t",
  kernel: "const char *",
  map_weights: "int32_t",
});
koffi.struct("edge_rerank_call_options", {
  size: "uint32_t",
  timeout_ms: "int32_t",
  cancelled: "int32_t *",
});
koffi.struct("edge_rerank_times", {
  embedding: "double", products: "double", attention: "double",
  rest: "double", waiting: "double", multiply_adds: "double",
});
koffi.struct("edge_rerank_info", {
  size: "uint32_t", threads: "int32_t", max_length: "int32_t", tokens_in_flight: "int32_t",
  vocabulary: "int32_t", token_types: "int32_t",
  weights_bytes: "uint64_t", buffers_bytes: "uint64_t", mapped_bytes: "uint64_t",
  kernel: "const char *", precision: "const char *", times: "edge_rerank_times",
  activation: "const char *", prompt: "const char *",
});
koffi.struct("edge_rerank_text", { data: "void *", size: "size_t" });
koffi.opaque("edge_rerank_engine");
koffi.opaque("edge_rerank_tokenizer");

class RerankError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "RerankError";
    this.status = status;
    this.cancelled = status === CANCELLED;
    this.timedOut = status === TIMED_OUT;
  }
}

function load(file) {
  try {
    return koffi.load(file);
  } catch (error) {
    throw new RerankError(OK, `${file}: ${error.message}`);
  }
}

function bind(file) {
  const library = load(file);
  const functions = {
    apiVersion: library.func("uint32_t edge_rerank_api_version()"),
    lastError: library.func("const char *edge_rerank_last_error()"),
    open: library.func(
      "int32_t edge_rerank_open(const char *folder, edge_rerank_options *options, _Out_ edge_rerank_engine **engine)",
    ),
    describe: library.func(
      "int32_t edge_rerank_describe(edge_rerank_engine *engine, _Inout_ edge_rerank_info *info)",
    ),
    score: library.func(
      "int32_t edge_rerank_score_with(edge_rerank_engine *engine, edge_rerank_call_options *options, " +
        "const int32_t *ids, const int64_t *offsets, const int32_t *first_segments, size_t count, float *logits)",
    ),
    cancel: library.func("void edge_rerank_cancel(int32_t *cancelled)"),
    close: library.func("void edge_rerank_close(edge_rerank_engine *engine)"),
    tokenizerOpen: library.func(
      "int32_t edge_rerank_tokenizer_open(const char *path, int32_t max_length, _Out_ edge_rerank_tokenizer **tokenizer)",
    ),
    encode: library.func(
      "int32_t edge_rerank_tokenizer_encode(edge_rerank_tokenizer *tokenizer, edge_rerank_text *queries, " +
        "edge_rerank_text *documents, size_t count, int32_t *ids, int64_t *offsets, int32_t *first_segments, uint8_t *truncated)",
    ),
    tokenizerClose: library.func("void edge_rerank_tokenizer_close(edge_rerank_tokenizer *tokenizer)"),
  };
  const found = functions.apiVersion();
  if (found !== API_VERSION) {
    throw new RerankError(OK, `${file} has interface ${found}, this program ${API_VERSION}`);
  }
  return functions;
}

const activations = {
  identity: (logit) => logit,
  sigmoid: (logit) => 1 / (1 + Math.exp(-logit)),
  tanh: (logit) => Math.tanh(logit),
};

class Reranker {
  // Opens the library `file` and the artifact in `folder`; throws RerankError.
  constructor(file, folder, { threads = 0 } = {}) {
    this.library = bind(file);
    const options = { size: koffi.sizeof("edge_rerank_options"), threads };
    const engine = [null];
    this.#check(this.library.open(folder, options, engine));
    this.engine = engine[0];
    this.info = { size: koffi.sizeof("edge_rerank_info") };
    const tokenizer = [null];
    try {
      this.#check(this.library.describe(this.engine, this.info));
      const name = path.join(folder, "tokenizer.json");
      this.#check(this.library.tokenizerOpen(name, this.info.max_length, tokenizer));
    } catch (error) {
      this.library.close(this.engine);
      throw error;
    }
    this.tokenizer = tokenizer[0];
    this.running = new Set();
    this.activation = activations[this.info.activation];
  }

  // Ranks passages, best first: [{index, score, logit, truncated}]. `signal` is an AbortSignal, and
  // `timeout` milliseconds; both end the call with a RerankError within a fraction of a second.
  rank(query, passages, options = {}) {
    if (!this.engine) return Promise.reject(new RerankError(OK, "the reranker is closed"));
    const call = this.#rank(query, passages, options);
    this.running.add(call);
    const done = () => this.running.delete(call);
    call.then(done, done);
    return call;
  }

  async #rank(query, passages, { signal, timeout = 0 }) {
    if (signal?.aborted) throw new RerankError(CANCELLED, "the call was cancelled");
    const pairs = this.#encode(query, passages);
    const logits = new Float32Array(passages.length);
    const cancelled = Buffer.alloc(4);
    const abort = () => this.library.cancel(cancelled);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const options = { size: koffi.sizeof("edge_rerank_call_options"), timeout_ms: timeout, cancelled };
      await this.#away(
        this.library.score, this.engine, options,
        pairs.ids, pairs.offsets, pairs.firstSegments, passages.length, logits,
      );
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return Array.from(logits, (logit, index) => ({
      index, logit, score: this.activation(logit), truncated: pairs.truncated[index] === 1,
    })).sort((a, b) => b.logit - a.logit || a.index - b.index);
  }

  #encode(query, passages) {
    const text = (value) => {
      const data = Buffer.from(value, "utf8");
      return { data, size: data.length };
    };
    const first = text(this.info.prompt + query);
    const count = passages.length;
    const pairs = {
      ids: new Int32Array(count * this.info.max_length),
      offsets: new BigInt64Array(count + 1),
      firstSegments: new Int32Array(count),
      truncated: new Uint8Array(count),
    };
    this.#check(
      this.library.encode(
        this.tokenizer, Array(count).fill(first), passages.map(text), count,
        pairs.ids, pairs.offsets, pairs.firstSegments, pairs.truncated,
      ),
    );
    return pairs;
  }

  // Calls a function of the library on another thread.
  #away(call, ...values) {
    return new Promise((resolve, reject) => {
      call.async(...values, (error, status) => {
        if (error) reject(error);
        else if (status === OK) resolve();
        else reject(this.#error(status));
      });
    });
  }

  #check(status) {
    if (status !== OK) throw this.#error(status, this.library.lastError());
  }

  // The library keeps what went wrong for each thread; that of another thread is not to be had here.
  #error(status, message) {
    const words = { [CANCELLED]: "the call was cancelled", [TIMED_OUT]: "the call was out of time" };
    return new RerankError(status, message ?? words[status] ?? `edge_rerank status ${status}`);
  }

  // Waits for the calls that are under way, then frees everything.
  async close() {
    const engine = this.engine;
    this.engine = null;
    await Promise.allSettled([...this.running]);
    if (!engine) return;
    this.library.tokenizerClose(this.tokenizer);
    this.library.close(engine);
  }
}

module.exports = { Reranker, RerankError };
