// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace edge_rerank {

class MappedFile {
  public:
    // `path` is UTF-8. Raises Error with EDGE_RERANK_BAD_ARTIFACT when the file cannot be read.
    explicit MappedFile(const std::string &path);
    ~MappedFile();
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    const uint8_t *data() const { return data_; }
    size_t size() const { return size_; }
    const std::string &path() const { return path_; }

    // Tells the system that these pages are not needed for now; they stay readable.
    void forget(const void *data, size_t size) const;

  private:
    std::string path_;
    const uint8_t *data_ = nullptr;
    size_t size_ = 0;
};

} // namespace edge_rerank
