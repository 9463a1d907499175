#include "base/file_bytes.h"

#include "base/error.h"
#include "base/pages.h"

namespace edge_rerank {

FileBytes::FileBytes(const std::string &path, Access access) : file_(path), access_(access) {
    if (size() == 0) {
        return;
    }
    if (mapped()) {
        data_ = file_.map();
    } else {
        void *place = reserve_pages(size());
        prefer_large_pages(place, size());
        data_ = static_cast<const uint8_t *>(place);
    }
}

FileBytes::~FileBytes() {
    if (data_ && mapped()) {
        OpenFile::unmap(data_, size());
    } else if (data_) {
        free_pages(const_cast<uint8_t *>(data_), size());
    }
}

void FileBytes::fetch(const void *data, size_t size) const {
    if (!mapped()) {
        const size_t offset = size_t(static_cast<const uint8_t *>(data) - data_);
        file_.read(offset, const_cast<uint8_t *>(data_) + offset, size);
    }
}

void FileBytes::forget(const void *data, size_t size) const {
    forget_pages(const_cast<void *>(data), size);
}

void FileBytes::done() {
    if (!mapped()) {
        file_.close();
    }
}

void FileBytes::check_unchanged() const {
    if (mapped() && file_.changed()) {
        bad_artifact(path() + ": was written to while the model is open, whose weights are mapped; "
                              "open the model again, and replace files by renaming others to them");
    }
}

std::string read_text(const std::string &path, size_t most) {
    const OpenFile file(path);
    if (file.size() > most) {
        bad_artifact(path + ": has " + std::to_string(file.size()) + " bytes; expected up to " +
                     std::to_string(most));
    }
    std::string text(file.size(), '\0');
    file.read(0, &text[0], text.size());
    return text;
}

} // namespace edge_rerank
