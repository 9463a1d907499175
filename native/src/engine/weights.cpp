#include "engine/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/json.h"

namespace edge_rerank::engine {

namespace {
constexpr uint64_t kLongestHeader = 16 << 20;
constexpr float kLargest = 1e12f;

struct TypeName {
    const char *name;
    DataType type;
    uint64_t size;
};
constexpr TypeName kTypes[] = {{"F32", DataType::float32, 4},
                               {"I8", DataType::int8, 1},
                               {"I32", DataType::int32, 4},
                               {"U8", DataType::uint8, 1}};

const TypeName &type_of(const Json *json, const std::string &where) {
    for (const TypeName &type : kTypes) {
        if (json && json->text() == type.name) {
            return type;
        }
    }
    bad_artifact(where + ": dtype is " + (json ? "'" + json->text() + "'" : "missing") +
                 "; expected F32, I8, U8 or I32");
}

// Whole numbers that are not negative, such as a shape.
std::vector<int64_t> numbers(const Json *json, const std::string &where) {
    std::vector<int64_t> result;
    if (!json || json->kind() != Json::Kind::list) {
        bad_artifact(where + ": expected a list of whole numbers");
    }
    for (const Json &item : json->list()) {
        if (!item.whole() || item.number() < 0) {
            bad_artifact(where + ": expected a list of whole numbers from 0");
        }
        result.push_back(int64_t(item.number()));
    }
    return result;
}

uint64_t bytes_of(const std::vector<int64_t> &shape, uint64_t size, const std::string &where) {
    uint64_t bytes = size;
    for (const int64_t extent : shape) {
        if (extent != 0 && bytes > (uint64_t(1) << 62) / uint64_t(extent)) {
            bad_artifact(where + ": the shape is too large");
        }
        bytes *= uint64_t(extent);
    }
    return bytes;
}

std::string show(const std::vector<int64_t> &shape) {
    std::string text = "[";
    for (const int64_t extent : shape) {
        text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return text + "]";
}

struct Extent { uint64_t begin, end; };

void check_coverage(std::vector<Extent> extents, uint64_t size, const std::string &path) {
    std::sort(extents.begin(), extents.end(), [](const Extent &a, const Extent &b) {
        return a.begin < b.begin || (a.begin == b.begin && a.end < b.end);
    });
    uint64_t at = 0;
    for (const Extent &extent : extents) {
        if (extent.begin != at) {
            bad_artifact(path + ": its tensors overlap or leave a gap at byte " +
                         std::to_string(at) + " of the data");
        }
        at = extent.end;
    }
    if (at != size) {
        bad_artifact(path + ": has " + std::to_string(size) + " bytes of data, its header says " +
                     std::to_string(at) + "; copy or export the artifact again");
    }
}
} // namespace

Weights::Weights(const std::string &path, Access access) : file_(path, access) { read_header(); }

void Weights::read_header() {
    const std::string &path = file_.path();
    uint64_t length = 0;
    file_.fetch(file_.data(), std::min(file_.size(), size_t(8)));
    for (int i = 7; i >= 0 && file_.size() >= 8; --i) { // little-endian, as safetensors has it
        length = length << 8 | file_.data()[i];
    }
    if (file_.size() < 8 || length > kLongestHeader || length > file_.size() - 8) {
        bad_artifact(path + ": not a safetensors file, or cut off");
    }
    const uint8_t *data = file_.data() + 8 + length;
    const uint64_t size = file_.size() - 8 - length;
    file_.fetch(file_.data() + 8, length);
    const std::string_view text(reinterpret_cast<const char *>(file_.data()) + 8, length);
    const Json header = Json::parse(text, path);
    std::vector<Extent> extents;
    for (const auto &[name, json] : header.members()) {
        if (name == "__metadata__") {
            continue;
        }
        const std::string where = path + ": tensor '" + name + "'";
        const TypeName &type = type_of(json.find("dtype"), where);
        Tensor tensor{type.type, numbers(json.find("shape"), where), nullptr, 0, false};
        const std::vector<int64_t> offsets = numbers(json.find("data_offsets"), where);
        if (offsets.size() != 2 || offsets[0] > offsets[1] || uint64_t(offsets[1]) > size) {
            bad_artifact(where + ": lies outside the file's " + std::to_string(size) +
                         " bytes of data");
        }
        tensor.bytes = size_t(offsets[1] - offsets[0]);
        if (tensor.bytes != bytes_of(tensor.shape, type.size, where)) {
            bad_artifact(where + ": has " + std::to_string(tensor.bytes) +
                         " bytes, which its shape " + show(tensor.shape) + " does not fill");
        }
        tensor.data = data + offsets[0];
        extents.push_back({uint64_t(offsets[0]), uint64_t(offsets[1])});
        tensors_.emplace(name, std::move(tensor));
    }
    check_coverage(std::move(extents), size, path);
}

Tensor &Weights::checked(const std::string &name, DataType type,
                         const std::vector<int64_t> &shape) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
        bad_artifact(file_.path() + ": lacks the tensor '" + name + "'");
    }
    Tensor &tensor = found->second;
    if (tensor.type != type || tensor.shape != shape) {
        bad_artifact(file_.path() + ": tensor '" + name + "' has the shape " + show(tensor.shape) +
                     " or another type; the configuration asks for " + show(shape));
    }
    tensor.read = true;
    const bool bytes = type == DataType::int8 || type == DataType::uint8;
    if (!bytes && uintptr_t(tensor.data) % 4 != 0) {
        bad_artifact(file_.path() + ": tensor '" + name + "' is not aligned to 4 bytes");
    }
    return tensor;
}

const float *Weights::floats(const std::string &name, const std::vector<int64_t> &shape) const {
    const float *numbers = values<float>(name, DataType::float32, shape);
    const size_t count = checked(name, DataType::float32, shape).bytes / sizeof(float);
    float peak = 0;
    bool sound = true;
    for (size_t i = 0; i < count; ++i) {
        sound &= numbers[i] - numbers[i] == 0.0f; // false for NaN and infinities alone
        peak = std::max(peak, std::fabs(numbers[i]));
    }
    if (!sound || peak > kLargest) {
        bad_artifact(file_.path() + ": tensor '" + name +
                     "' has a value that is infinite, not a number or beyond 1e12");
    }
    return numbers;
}

const float *Weights::table(const std::string &name, const std::vector<int64_t> &shape) const {
    return values<float>(name, DataType::float32, shape);
}

const int8_t *Weights::bytes(const std::string &name, const std::vector<int64_t> &shape) const {
    return values<int8_t>(name, DataType::int8, shape);
}

const uint8_t *Weights::packed(const std::string &name, const std::vector<int64_t> &shape) const {
    return values<uint8_t>(name, DataType::uint8, shape);
}

const int32_t *Weights::ints(const std::string &name, const std::vector<int64_t> &shape) const {
    return values<int32_t>(name, DataType::int32, shape);
}

template <typename T>
const T *Weights::values(const std::string &name, DataType type,
                         const std::vector<int64_t> &shape) const {
    Tensor &tensor = checked(name, type, shape);
    if (!tensor.there) {
        file_.fetch(tensor.data, tensor.bytes);
        tensor.there = true;
    }
    return reinterpret_cast<const T *>(tensor.data);
}

int Weights::rows(const std::string &name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second.shape.size() != 2 ||
        found->second.shape[0] > (1 << 24)) {
        bad_artifact(file_.path() + ": lacks the matrix '" + name + "'");
    }
    return int(found->second.shape[0]);
}

void Weights::forget(const std::string &name) const {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) {
        file_.forget(found->second.data, found->second.bytes);
        found->second.there = false;
    }
}

void Weights::done() {
    for (const auto &[name, tensor] : tensors_) {
        if (!tensor.read) {
            bad_artifact(file_.path() + ": this version of edge-rerank does not know the tensor '" +
                         name + "'; if a later one exported the artifact, install that");
        }
    }
    file_.done();
}

size_t Weights::copied_bytes() const {
    size_t total = 0;
    for (const auto &[name, tensor] : tensors_) {
        total += tensor.there && !file_.mapped() ? tensor.bytes : 0;
    }
    return total;
}

} // namespace edge_rerank::engine
