// What this machine can do at most.
#pragma once

namespace edge_rerank {

// Multiply-adds a second of one core.
double peak_rate(double (*loop)(long rounds));

// Bytes a second that one core reads from memory.
double read_rate();

} // namespace edge_rerank
