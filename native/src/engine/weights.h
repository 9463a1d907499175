// The tensors of model.safetensors, copied or mapped, and checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/file_bytes.h"

namespace edge_rerank::engine {

enum class DataType { float32, int8, int32, uint8 };

struct Tensor {
    DataType type;
    std::vector<int64_t> shape;
    const uint8_t *data;
    size_t bytes;
    bool there = false; // or it is to be fetched
    bool read = false;  // by any of the functions below, but for has()
};

class Weights {
  public:
    // Raises Error with EDGE_RERANK_BAD_ARTIFACT unless the header is sound and the tensors fill
    // the file without gaps or overlaps.
    Weights(const std::string &path, Access access);

    bool has(const std::string &name) const { return tensors_.count(name) != 0; }

    // Raises Error unless there is a tensor of this type and shape.
    void need(const std::string &name, DataType type, const std::vector<int64_t> &shape) const {
        checked(name, type, shape);
    }

    // The values of a tensor that must have this type and shape. Float tensors must be finite, and
    // below 1e12 in magnitude, so that no sum of products of them overflows.
    const float *floats(const std::string &name, const std::vector<int64_t> &shape) const;
    // The same for tables that are used as they are: their values are not looked at, so that no
    // page of a mapped one is read before it is needed.
    const float *table(const std::string &name, const std::vector<int64_t> &shape) const;
    const int8_t *bytes(const std::string &name, const std::vector<int64_t> &shape) const;
    const uint8_t *packed(const std::string &name, const std::vector<int64_t> &shape) const;
    const int32_t *ints(const std::string &name, const std::vector<int64_t> &shape) const;

    // How many rows a matrix has; its columns are checked when it is read.
    int rows(const std::string &name) const;

    // Lets go of the pages of a tensor that has been packed.
    void forget(const std::string &name) const;

    // Lets go of the file when nothing more is read from it. Raises Error where a tensor was not:
    // a later version may have added it, and without it the scores would be others.
    void done();

    // Raises Error where the mapped file was written to.
    void check_unchanged() const { file_.check_unchanged(); }

    // Memory of the tensors that are there and have not been let go of, or else size of the map.
    size_t copied_bytes() const;
    size_t mapped_bytes() const { return file_.mapped() ? file_.size() : 0; }

  private:
    FileBytes file_;
    mutable std::map<std::string, Tensor> tensors_;

    void read_header();
    Tensor &checked(const std::string &name, DataType type,
                    const std::vector<int64_t> &shape) const;
    template <typename T>
    const T *values(const std::string &name, DataType type,
                    const std::vector<int64_t> &shape) const;
};

} // namespace edge_rerank::engine
