#include "base/mapped_file.h"

#include "base/error.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace edge_rerank {

#if defined(_WIN32)

namespace {
[[noreturn]] void cannot_read(const std::string &path) {
    bad_artifact(path + ": cannot be read: system error " + std::to_string(GetLastError()));
}

std::wstring wide(const std::string &text) {
    const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(),
                                           int(text.size()), nullptr, 0);
    std::wstring result(size_t(length), L'\0');
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), int(text.size()), &result[0],
                        length);
    return result;
}

struct Handle {
    HANDLE value;
    ~Handle() {
        if (value && value != INVALID_HANDLE_VALUE) {
            CloseHandle(value);
        }
    }
};
} // namespace

MappedFile::MappedFile(const std::string &path) : path_(path) {
    const Handle file{CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                                  OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
    LARGE_INTEGER size;
    if (file.value == INVALID_HANDLE_VALUE || !GetFileSizeEx(file.value, &size)) {
        cannot_read(path);
    }
    size_ = size_t(size.QuadPart);
    if (size_ == 0) {
        return;
    }
    const Handle mapping{CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
    if (!mapping.value) {
        cannot_read(path);
    }
    data_ = static_cast<const uint8_t *>(MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0));
    if (!data_) {
        cannot_read(path);
    }
}

MappedFile::~MappedFile() {
    if (data_) {
        UnmapViewOfFile(data_);
    }
}

void MappedFile::forget(const void *, size_t) const {}

#else

namespace {
[[noreturn]] void cannot_read(const std::string &path) {
    bad_artifact(path + ": cannot be read: " + std::strerror(errno));
}

struct Descriptor {
    int value;
    ~Descriptor() {
        if (value >= 0) {
            close(value);
        }
    }
};
} // namespace

MappedFile::MappedFile(const std::string &path) : path_(path) {
    // Opening a named pipe would wait for its writer; without waiting, it is refused below.
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status;
    if (file.value < 0 || fstat(file.value, &status) != 0) {
        cannot_read(path);
    }
    if (!S_ISREG(status.st_mode)) {
        bad_artifact(path + ": not a regular file");
    }
    size_ = size_t(status.st_size);
    if (size_ == 0) {
        return;
    }
    void *mapping = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
    if (mapping == MAP_FAILED) {
        cannot_read(path);
    }
    data_ = static_cast<const uint8_t *>(mapping);
}

MappedFile::~MappedFile() {
    if (data_) {
        munmap(const_cast<uint8_t *>(data_), size_);
    }
}

void MappedFile::forget(const void *data, size_t size) const {
    // Whole pages alone: those at the ends are shared with neighbours.
    const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
    const uintptr_t first = (uintptr_t(data) + page - 1) / page * page;
    const uintptr_t last = (uintptr_t(data) + size) / page * page;
    if (first < last) {
        madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    }
}

#endif

} // namespace edge_rerank
