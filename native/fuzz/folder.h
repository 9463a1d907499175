// The artifact that a fuzzer's input stands for, written to a folder in memory.
//
// An input is a byte of flags, two lengths of two bytes (little-endian) and the bytes of three
// parts: manifest.json, the header of model.safetensors, and that file's data. Lengths that go
// beyond the input are cut. The length that begins the weights file is made to fit, unless flag 1
// says that the header's bytes are the beginning of the file. inputs.py reads
// the same format.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace fuzz {

constexpr uint8_t kRawWeights = 1;
constexpr size_t kFront = 5; // bytes before the parts

struct Input {
    uint8_t flags = 0;
    std::string manifest, header, data;

    static Input read(const uint8_t *bytes, size_t size) {
        Input result;
        if (size < kFront) {
            return result;
        }
        const char *text = reinterpret_cast<const char *>(bytes);
        const std::string rest(text + kFront, size - kFront);
        const size_t first = bytes[1] | size_t(bytes[2]) << 8;
        const size_t second = bytes[3] | size_t(bytes[4]) << 8;
        result.flags = bytes[0];
        result.manifest = rest.substr(0, first);
        const std::string weights = rest.substr(result.manifest.size());
        result.header = weights.substr(0, second);
        result.data = weights.substr(result.header.size());
        return result;
    }

    std::string write() const {
        std::string result(1, char(flags));
        for (const std::string *part : {&manifest, &header}) {
            result += char(part->size() & 255);
            result += char(part->size() >> 8 & 255);
        }
        return result + manifest + header + data;
    }
};

inline void write_file(const std::string &path, const std::string &text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    size_t at = 0;
    while (file >= 0 && at < text.size()) {
        const ssize_t count = write(file, text.data() + at, text.size() - at);
        if (count <= 0) {
            break;
        }
        at += size_t(count);
    }
    if (file < 0 || close(file) != 0 || at != text.size()) {
        perror(path.c_str());
        abort();
    }
}

// A folder for this process alone, removed when it ends; in memory where there is such a place.
class Folder {
  public:
    Folder() : path_(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") {
        path_ += "/edge-rerank-fuzz-XXXXXX";
        if (!mkdtemp(&path_[0])) {
            perror(path_.c_str());
            abort();
        }
    }
    ~Folder() {
        unlink((path_ + "/manifest.json").c_str());
        unlink((path_ + "/model.safetensors").c_str());
        rmdir(path_.c_str());
    }
    const std::string &path() const { return path_; }

  private:
    std::string path_;
};

inline const std::string &folder() {
    static const Folder made;
    return made.path();
}

inline void write_artifact(const Input &input) {
    std::string length;
    for (int i = 0; i < 8 && !(input.flags & kRawWeights); ++i) {
        length += char(uint64_t(input.header.size()) >> (8 * i) & 255);
    }
    write_file(folder() + "/manifest.json", input.manifest);
    write_file(folder() + "/model.safetensors", length + input.header + input.data);
}

} // namespace fuzz
