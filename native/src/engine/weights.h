// The tensors of model.safetensors, mapped and checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/mapped_file.h"

namespace edge_rerank::engine {

enum class DataType { float32, int8, int32 };

struct Tensor {
    DataType type;
    std::vector<int64_t> shape;
    const uint8_t *data;
    size_t bytes;
};

class Weights {
  public:
    // Raises Error with EDGE_RERANK_BAD_ARTIFACT unless the header is sound and the tensors fill
    // the file without gaps or overlaps.
    explicit Weights(const std::string &path);

    bool has(const std::string &name) const { return tensors_.count(name) != 0; }

    // Raises Error unless there is a tensor of this type and shape.
    void need(const std::string &name, DataType type, const std::vector<int64_t> &shape) const {
        checked(name, type, shape);
    }

    // The values of a tensor that must have this type and shape. Float tensors must be finite, and
    // below 1e12 in magnitude, so that no sum of products of them overflows.
    const float *floats(const std::string &name, const std::vector<int64_t> &shape) const;
    // The same for tables that stay mapped: their values are not looked at, so that no page is
    // read before it is needed.
    const float *mapped_floats(const std::string &name, const std::vector<int64_t> &shape) const;
    const int8_t *bytes(const std::string &name, const std::vector<int64_t> &shape) const;
    const int32_t *ints(const std::string &name, const std::vector<int64_t> &shape) const;

    // How many rows a matrix has; its columns are checked when it is read.
    int rows(const std::string &name) const;

    // Lets go of the pages of a tensor that has been copied.
    void forget(const std::string &name) const;

    size_t size() const { return file_.size(); }

  private:
    MappedFile file_;
    std::map<std::string, Tensor> tensors_;

    void read_header();
    const Tensor &checked(const std::string &name, DataType type,
                          const std::vector<int64_t> &shape) const;
};

} // namespace edge_rerank::engine
