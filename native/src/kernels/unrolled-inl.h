// Runs a statement for each number below a constant, unrolled, so that arrays live in registers.
#pragma once

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED // g++ builds the sanitizers' programs alone, which are slow anyway
#endif
#define TIMES(index, count) UNROLLED for (int index = 0; index < (count); ++index)
