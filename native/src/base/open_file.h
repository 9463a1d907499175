// A file that is open for reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace edge_rerank {

class OpenFile {
  public:
    // `path` is UTF-8. Raises Error with EDGE_RERANK_BAD_ARTIFACT when the file cannot be read.
    explicit OpenFile(const std::string &path);
    ~OpenFile() { close(); }
    OpenFile(const OpenFile &) = delete;
    OpenFile &operator=(const OpenFile &) = delete;

    const std::string &path() const { return path_; }
    size_t size() const { return size_; }

    // Reads a part into memory. Raises Error where the file has become shorter.
    void read(size_t offset, void *to, size_t size) const;

    // The whole of it, which must not be empty, in memory; to be ended with unmap().
    const uint8_t *map() const;
    static void unmap(const uint8_t *data, size_t size);

    // Whether its size or the time of its last change are others than when it was opened. On
    // Windows nobody can change a file that is open here.
    bool changed() const;

    void close();

  private:
    std::string path_;
    intptr_t handle_ = -1;
    size_t size_ = 0;
    int64_t time_ = 0; // of the last change, in nanoseconds

    [[noreturn]] void cannot_read() const;
};

} // namespace edge_rerank
