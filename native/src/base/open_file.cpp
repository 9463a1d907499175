#include "base/open_file.h"

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
HANDLE handle(intptr_t value) { return reinterpret_cast<HANDLE>(value); }

std::wstring wide(const std::string &text) {
    const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(),
                                           int(text.size()), nullptr, 0);
    std::wstring result(size_t(length), L'\0');
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), int(text.size()), &result[0],
                        length);
    return result;
}
} // namespace

void OpenFile::cannot_read() const {
    bad_artifact(path_ + ": cannot be read: system error " + std::to_string(GetLastError()));
}

OpenFile::OpenFile(const std::string &path) : path_(path) {
    const HANDLE file = CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    handle_ = reinterpret_cast<intptr_t>(file);
    LARGE_INTEGER size;
    if (file == INVALID_HANDLE_VALUE) {
        cannot_read();
    }
    if (!GetFileSizeEx(file, &size)) {
        close();
        cannot_read();
    }
    size_ = size_t(size.QuadPart);
}

void OpenFile::read(size_t offset, void *to, size_t size) const {
    constexpr size_t most = size_t(1) << 30;
    for (char *at = static_cast<char *>(to); size;) {
        OVERLAPPED place{};
        place.Offset = DWORD(offset & 0xFFFFFFFF);
        place.OffsetHigh = DWORD(uint64_t(offset) >> 32);
        DWORD count = 0;
        if (!ReadFile(handle(handle_), at, DWORD(size < most ? size : most), &count, &place) ||
            count == 0) {
            cannot_read();
        }
        at += count;
        offset += count;
        size -= count;
    }
}

const uint8_t *OpenFile::map() const {
    const HANDLE mapping =
        CreateFileMappingW(handle(handle_), nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (!mapping) {
        cannot_read();
    }
    void *data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    CloseHandle(mapping); // the view keeps it
    if (!data) {
        cannot_read();
    }
    return static_cast<const uint8_t *>(data);
}

void OpenFile::unmap(const uint8_t *data, size_t) { UnmapViewOfFile(data); }

bool OpenFile::changed() const { return false; }

void OpenFile::close() {
    if (handle(handle_) != INVALID_HANDLE_VALUE) {
        CloseHandle(handle(handle_));
        handle_ = reinterpret_cast<intptr_t>(INVALID_HANDLE_VALUE);
    }
}

#else

namespace {
int64_t change_time(const struct stat &status) {
#if defined(__APPLE__)
    const timespec &time = status.st_mtimespec;
#else
    const timespec &time = status.st_mtim;
#endif
    return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}
} // namespace

void OpenFile::cannot_read() const {
    bad_artifact(path_ + ": cannot be read: " + std::strerror(errno));
}

OpenFile::OpenFile(const std::string &path) : path_(path) {
    // Opening a named pipe would wait for its writer; without waiting, it is refused below.
    handle_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (handle_ < 0) {
        cannot_read();
    }
    if (fstat(int(handle_), &status) != 0) {
        const int why = errno;
        close();
        errno = why;
        cannot_read();
    }
    if (!S_ISREG(status.st_mode)) {
        close();
        bad_artifact(path + ": not a regular file");
    }
    size_ = size_t(status.st_size);
    time_ = change_time(status);
}

void OpenFile::read(size_t offset, void *to, size_t size) const {
    for (char *at = static_cast<char *>(to); size;) {
        const ssize_t count = pread(int(handle_), at, size, off_t(offset));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            cannot_read();
        }
        if (count == 0) {
            bad_artifact(path_ + ": has become shorter while it was read; " +
                         "open the model again, and replace files by renaming others to them");
        }
        at += count;
        offset += size_t(count);
        size -= size_t(count);
    }
}

const uint8_t *OpenFile::map() const {
    void *data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, int(handle_), 0);
    if (data == MAP_FAILED) {
        cannot_read();
    }
    return static_cast<const uint8_t *>(data);
}

void OpenFile::unmap(const uint8_t *data, size_t size) {
    munmap(const_cast<uint8_t *>(data), size);
}

bool OpenFile::changed() const {
    struct stat status;
    return fstat(int(handle_), &status) != 0 || size_t(status.st_size) != size_ ||
           change_time(status) != time_;
}

void OpenFile::close() {
    if (handle_ >= 0) {
        ::close(int(handle_));
        handle_ = -1;
    }
}

#endif

} // namespace edge_rerank
