// EDGE_RERANK_LIBRARY names the library, EDGE_RERANK_MODEL an artifact's folder.
"use strict";

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { Reranker, RerankError } = require("./reranker.js");

const library = process.env.EDGE_RERANK_LIBRARY;
const folder = process.env.EDGE_RERANK_MODEL;
const query = "list files sorted by size";
const passages = ["rm -r removes a directory.", "ls -S prints the largest file first.", "Ünïcode 🙂."];
let reranker;

before(() => {
  reranker = new Reranker(library, folder);
});
after(() => reranker.close());

test("ranks, best first", async () => {
  const hits = await reranker.rank(query, passages);
  assert.equal(hits[0].index, 1);
  assert.deepEqual(hits.map((hit) => hit.index).sort(), [0, 1, 2]);
  assert.ok(hits.every((hit) => hit.score > 0 && hit.score < 1 && !hit.truncated));
});

test("a pair's score does not depend on its company", async () => {
  const together = await reranker.rank(query, passages);
  for (const hit of together) {
    const [alone] = await reranker.rank(query, [passages[hit.index]]);
    assert.equal(alone.logit, hit.logit);
  }
});

test("calls run beside one another and the event loop goes on", async () => {
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 1);
  const many = Array(60).fill(passages[1].repeat(10));
  const calls = await Promise.all([reranker.rank(query, many), reranker.rank(query, passages)]);
  clearInterval(timer);
  assert.equal(calls[0].length, 60);
  assert.ok(ticks > 0);
});

test("no passages, no hits; a long one is marked", async () => {
  assert.deepEqual(await reranker.rank(query, []), []);
  const [hit] = await reranker.rank(query, ["word ".repeat(5000)]);
  assert.equal(hit.truncated, true);
});

test("a call is cancelled, or runs out of time", async () => {
  const many = Array(2000).fill(passages[1].repeat(20));
  const controller = new AbortController();
  const call = reranker.rank(query, many, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(call, (error) => error instanceof RerankError && error.cancelled);
  await assert.rejects(reranker.rank(query, many, { timeout: 50 }), (error) => error.timedOut);
  await assert.rejects(reranker.rank(query, many, { signal: AbortSignal.abort() }), RerankError);
});

test("what is wrong is said", async () => {
  assert.throws(() => new Reranker(library, "/nowhere"), /nowhere/);
  const other = new Reranker(library, folder, { threads: 1 });
  await other.close();
  await other.close();
  await assert.rejects(other.rank(query, passages), /closed/);
});
