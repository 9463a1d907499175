// node rank.js LIBRARY FOLDER QUERY PASSAGE ...: prints index, score and passage, best first.
"use strict";

const { Reranker } = require("./reranker.js");

async function main([library, folder, query, ...passages]) {
  const reranker = new Reranker(library, folder);
  for (const hit of await reranker.rank(query, passages)) {
    console.log(`${hit.index}\t${hit.score.toFixed(4)}\t${passages[hit.index]}`);
  }
  await reranker.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`rank: ${error.message}`);
  process.exitCode = 1;
});
