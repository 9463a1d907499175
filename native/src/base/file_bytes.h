// The bytes of a file, in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/open_file.h"

namespace edge_rerank {

// Copied bytes are ours: whoever writes over the file does not touch them. Mapped ones take no
// memory of their own, but change when the file does, and where it has become shorter, touching
// them ends the process.
enum class Access { copied, mapped };

class FileBytes {
  public:
    // `path` is UTF-8. Raises Error with EDGE_RERANK_BAD_ARTIFACT when the file cannot be read.
    FileBytes(const std::string &path, Access access);
    ~FileBytes();
    FileBytes(const FileBytes &) = delete;
    FileBytes &operator=(const FileBytes &) = delete;

    const std::string &path() const { return file_.path(); }
    size_t size() const { return file_.size(); }

    // All bytes have their place from the start. What is there of copied ones are those that
    // fetch() was called for.
    const uint8_t *data() const { return data_; }
    bool mapped() const { return access_ == Access::mapped; }
    void fetch(const void *data, size_t size) const;

    // Tells the system that these pages are not needed for now. Copied ones are to be fetched
    // again before they are looked at.
    void forget(const void *data, size_t size) const;

    // Lets go of the file when no more of it is fetched.
    void done();

    // Raises Error where mapped bytes may be others than when the file was opened.
    void check_unchanged() const;

  private:
    OpenFile file_;
    Access access_;
    const uint8_t *data_ = nullptr;
};

// A small file as a text. Raises Error where it has more than `most` bytes.
std::string read_text(const std::string &path, size_t most);

} // namespace edge_rerank
